import { ACME_TLS } from "../acme_tls/mod.ts";
import type { ChallengeSnapshot, HttpProofSnapshot, TlsProofSnapshot } from "../plane/mod.ts";
import type { ClientHello } from "../sni/mod.ts";

/**
 * Refused connections of a worker that are read at one time, because they may be of a validator. More
 * are refused at once, as if nothing were pending: validators come back.
 */
const MAX_SPARED = 64;

/** The names that are being proved by tls-alpn-01 or http-01, and what proves them. */
export class Challenges {
  readonly #byTls = new Map<string, TlsProofSnapshot>();
  readonly #byHttp = new Map<string, HttpProofSnapshot>();
  #spared = 0;

  /** Replaces all of them. */
  set(challenges: readonly ChallengeSnapshot[]): void {
    this.#byTls.clear();
    this.#byHttp.clear();
    for (const challenge of challenges) {
      if (challenge.type === "http-01") this.#byHttp.set(challenge.name, challenge);
      else this.#byTls.set(challenge.name, challenge);
    }
  }

  /**
   * What a hello is to be answered with, if it is of a validator of a name that is pending: it offers
   * nothing but the challenge's protocol (RFC 8737 §3). Any other goes to its route, whose backend may
   * prove names itself.
   */
  answerTo({ serverName, alpn }: ClientHello): TlsProofSnapshot | undefined {
    if (serverName === undefined || alpn.length !== 1 || alpn[0] !== ACME_TLS) return undefined;
    return this.#byTls.get(serverName);
  }

  /** What proves a name to whoever asks for this token of http-01. */
  proof(name: string, token: string): string | undefined {
    const pending = this.#byHttp.get(name);
    return pending?.token === token ? pending.keyAuthorization : undefined;
  }

  /**
   * Whether a connection that is refused is to be read all the same: validators come from anywhere
   * (RFC 8555 §10.2), and only the hello, or the request, tells that it is one. {@link unspare} gives
   * it back.
   */
  spare({ isRedirect }: { readonly isRedirect: boolean }): boolean {
    const pending = isRedirect ? this.#byHttp : this.#byTls;
    if (pending.size === 0 || this.#spared >= MAX_SPARED) return false;
    this.#spared++;
    return true;
  }

  unspare(): void {
    this.#spared--;
  }
}
