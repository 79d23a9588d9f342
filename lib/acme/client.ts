import { type Directory, readDirectory } from "./directory.ts";
import { AcmeError } from "./error.ts";
import { type AcmeAnswer, type AcmeExchange, type AcmeHttp, checkUrl, jsonOf } from "./http.ts";
import { bindAccount, type JwsHeader, publicJwk, signJws } from "./jws.ts";
import { base64url, type SigningKey } from "./keys.ts";
import {
  type Authorization,
  type Order,
  readAuthorization,
  readOrder,
  readRenewalInfo,
  type RenewalWindow,
} from "./resources.ts";

/** A nonce is good for one request; more than a few unused ones are stale anyway. */
const MAX_NONCES = 8;
/**
 * Answers of `badNonce` in a row, each with a fresh nonce (RFC 8555 §6.5). Pebble refuses half: twelve in
 * a row came once in some hundred certificates.
 */
const MAX_NONCE_TRIES = 24;
/** Chains of public CAs have two or three certificates. */
const MAX_CHAIN_CERTIFICATES = 10;

/** An external account (RFC 8555 §7.3.4). */
export interface ExternalAccount {
  readonly kid: string;
  /** Base64url; secret. */
  readonly hmacKey: string;
}

/** What a new order asks for. */
export interface NewOrder {
  readonly names: readonly string[];
  /** One that the CA offers; absent: its default. */
  readonly profile?: string | undefined;
  /** The certificate that this one takes the place of, a {@link renewalId}. */
  readonly replaces?: string | undefined;
}

/** What all calls take. */
interface Call {
  readonly signal?: AbortSignal | undefined;
}

/**
 * A client of one account at one CA (RFC 8555): every request is signed, every answer bounded and
 * checked. It keeps nonces and nothing else; what has to last is the caller's to store.
 */
export class AcmeClient {
  readonly #http: AcmeHttp;
  readonly #directoryUrl: string;
  readonly #nonces: string[] = [];
  #key: SigningKey;
  #account: string | undefined;
  #directory: Directory | undefined;

  constructor(
    options: {
      readonly http: AcmeHttp;
      /** The CA's directory. */
      readonly directory: string;
      readonly key: SigningKey;
      /** The account's URL, if the key has one. */
      readonly account?: string | undefined;
    },
  ) {
    this.#http = options.http;
    this.#directoryUrl = options.directory;
    this.#key = options.key;
    this.#account = options.account;
  }

  /** The account's key: whoever answers challenges needs its thumbprint. */
  get key(): SigningKey {
    return this.#key;
  }

  /** What the CA offers; asked once. */
  async directory({ signal }: Call = {}): Promise<Directory> {
    const doing = "its directory";
    this.#directory ??= readDirectory(
      jsonOf(await this.#http.exchange(this.#directoryUrl, { doing, signal }), doing),
    );
    return this.#directory;
  }

  /**
   * Makes an account for the key, or finds the one it has; gives its URL.
   *
   * @throws {AcmeError}
   */
  async register(
    { email, agreesTos, external, signal }: Call & {
      readonly email: string;
      readonly agreesTos: boolean;
      readonly external?: ExternalAccount | undefined;
    },
  ): Promise<string> {
    const { newAccount: url, externalAccountRequired } = await this.directory({ signal });
    if (externalAccountRequired && external === undefined) {
      throw new AcmeError("failed", "the CA takes external accounts only: eab_kid is missing");
    }
    const answer = await this.#post(url, {
      doing: "an account",
      withKey: true,
      signal,
      payload: {
        termsOfServiceAgreed: agreesTos,
        ...email !== "" && { contact: [`mailto:${email}`] },
        ...external !== undefined && {
          externalAccountBinding: await bindAccount(this.#key, { ...external, url }),
        },
      },
    });
    jsonOf(answer, "an account");
    return this.#account = locationOf(answer, "an account");
  }

  /**
   * The URL of the account that the key has; nothing if it has none. Makes none (RFC 8555 §7.3.1).
   *
   * @throws {AcmeError}
   */
  async findAccount({ signal }: Call = {}): Promise<string | undefined> {
    const { newAccount: url } = await this.directory({ signal });
    const doing = "an account";
    const payload = { onlyReturnExisting: true };
    const answer = await this.#post(url, { doing, withKey: true, signal, payload });
    try {
      jsonOf(answer, doing);
    } catch (error) {
      if (error instanceof AcmeError && error.type === "accountDoesNotExist") return undefined;
      throw error;
    }
    return this.#account = locationOf(answer, doing);
  }

  /** Begins an order. */
  async newOrder({ names, profile, replaces }: NewOrder, { signal }: Call = {}): Promise<Order> {
    const { newOrder: url } = await this.directory({ signal });
    const doing = "an order";
    const answer = await this.#post(url, {
      doing,
      signal,
      payload: {
        identifiers: names.map((value) => ({ type: "dns", value })),
        ...profile !== undefined && { profile },
        ...replaces !== undefined && { replaces },
      },
    });
    return readOrder(jsonOf(answer, doing), locationOf(answer, doing), answer.retryAfterMs);
  }

  /** How an order stands. */
  async order(url: string, { signal }: Call = {}): Promise<Order> {
    const answer = await this.#post(url, { doing: "the order", signal });
    return readOrder(jsonOf(answer, "the order"), url, answer.retryAfterMs);
  }

  /** How the proof of a name stands. */
  async authorization(url: string, { signal }: Call = {}): Promise<Authorization> {
    const answer = await this.#post(url, { doing: "an authorization", signal });
    return readAuthorization(jsonOf(answer, "an authorization"), url, answer.retryAfterMs);
  }

  /** Says that a challenge can be looked at. */
  async answerChallenge(url: string, { signal }: Call = {}): Promise<void> {
    const doing = "a challenge";
    jsonOf(await this.#post(url, { doing, signal, payload: {} }), doing);
  }

  /** Asks for the certificate of an order whose names are proved. */
  async finalize(order: Order, csr: Uint8Array, { signal }: Call = {}): Promise<Order> {
    const doing = "finalizing the order";
    const payload = { csr: base64url(csr) };
    const answer = await this.#post(order.finalize, { doing, signal, payload });
    return readOrder(jsonOf(answer, doing), order.url, answer.retryAfterMs);
  }

  /** The chain, PEM, the server's own certificate first. What it is worth is the caller's to check. */
  async certificate(url: string, { signal }: Call = {}): Promise<string> {
    const doing = "the certificate";
    const accept = "application/pem-certificate-chain";
    const answer = await this.#post(url, { doing, signal, accept });
    if (answer.status !== 200) jsonOf(answer, doing);
    const blocks = answer.text.match(
      /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/g,
    ) ?? [];
    if (blocks.length === 0 || blocks.length > MAX_CHAIN_CERTIFICATES) {
      throw new AcmeError("malformed", "the CA's certificate is no chain in PEM");
    }
    return `${blocks.join("\n")}\n`;
  }

  /** Revokes a certificate of this account, DER. */
  async revoke(
    certificate: Uint8Array,
    { reason, signal }: Call & { readonly reason?: number } = {},
  ): Promise<void> {
    const { revokeCert: url } = await this.directory({ signal });
    const payload = {
      certificate: base64url(certificate),
      ...reason !== undefined && { reason },
    };
    const answer = await this.#post(url, { doing: "a revocation", signal, payload });
    if (answer.status !== 200) jsonOf(answer, "a revocation");
  }

  /** When the CA wants a certificate renewed (RFC 9773); absent: it does not say. */
  async renewalInfo(id: string, { signal }: Call = {}): Promise<RenewalWindow | undefined> {
    const { renewalInfo } = await this.directory({ signal });
    if (renewalInfo === undefined) return undefined;
    const url = `${renewalInfo.replace(/\/$/, "")}/${id}`;
    const doing = "renewal information";
    const answer = await this.#http.exchange(url, { doing, signal });
    return readRenewalInfo(jsonOf(answer, doing), answer.retryAfterMs);
  }

  /** Goes over to another key (RFC 8555 §7.3.5): the old one is worth nothing afterwards. */
  async rollKey(next: SigningKey, { signal }: Call = {}): Promise<void> {
    const { keyChange: url } = await this.directory({ signal });
    const payload = await signJws(next, { url }, {
      account: this.#accountUrl(),
      oldKey: await publicJwk(this.#key),
    });
    const answer = await this.#post(url, { doing: "another key", signal, payload });
    if (answer.status !== 200) jsonOf(answer, "another key");
    this.#key = next;
  }

  #accountUrl(): string {
    if (this.#account === undefined) throw new AcmeError("failed", "there is no account yet");
    return this.#account;
  }

  /** A signed request; without a payload it reads (POST-as-GET). */
  async #post(
    url: string,
    { payload, withKey = false, ...exchange }: AcmeExchange & {
      readonly payload?: unknown;
      readonly withKey?: boolean;
    },
  ): Promise<AcmeAnswer> {
    checkUrl(url);
    for (let attempt = 1;; attempt++) {
      const header: JwsHeader = {
        nonce: await this.#nonce(exchange.signal),
        url,
        ...!withKey && { kid: this.#accountUrl() },
      };
      const body = JSON.stringify(await signJws(this.#key, header, payload));
      const answer = await this.#http.exchange(url, { ...exchange, body });
      this.#keepNonce(answer);
      if (attempt === MAX_NONCE_TRIES || !isBadNonce(answer)) return answer;
    }
  }

  async #nonce(signal: AbortSignal | undefined): Promise<string> {
    const known = this.#nonces.pop();
    if (known !== undefined) return known;
    const { newNonce } = await this.directory({ signal });
    const doing = "a nonce";
    const answer = await this.#http.exchange(newNonce, { doing, method: "HEAD", signal });
    const nonce = nonceOf(answer);
    if (nonce === undefined) throw new AcmeError("malformed", "the CA gives no nonce");
    return nonce;
  }

  #keepNonce(answer: AcmeAnswer): void {
    const nonce = nonceOf(answer);
    if (nonce === undefined) return;
    this.#nonces.push(nonce);
    if (this.#nonces.length > MAX_NONCES) this.#nonces.shift();
  }
}

function nonceOf({ headers }: AcmeAnswer): string | undefined {
  const nonce = headers.get("replay-nonce");
  // RFC 8555 §6.5.1: one that is not base64url is to be ignored.
  return nonce !== null && /^[A-Za-z0-9_-]{1,512}$/.test(nonce) ? nonce : undefined;
}

function isBadNonce({ status, text }: AcmeAnswer): boolean {
  return status >= 400 && text.includes("urn:ietf:params:acme:error:badNonce");
}

function locationOf({ headers }: AcmeAnswer, doing: string): string {
  const location = headers.get("location");
  if (location === null) throw new AcmeError("malformed", `the CA gives ${doing} no URL`);
  checkUrl(location);
  return location;
}
