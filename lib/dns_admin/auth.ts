import { Buffer } from "node:buffer";
import { createHash, timingSafeEqual } from "node:crypto";
import { Access, type DnsControl } from "../dns_control/mod.ts";

/** Somebody who has shown a token. */
export interface Caller {
  /** For the audit log. */
  readonly name: string;
  readonly access: Access;
}

/** Why somebody is not let in. */
export class AuthError extends Error {
  override readonly name = "AuthError";
  /** `unknown`: no token, or a wrong one. `unavailable`: nobody can say whether it is right. */
  readonly code: "unknown" | "unavailable" | "too_many" | "forbidden";

  constructor(code: AuthError["code"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** Asks elsewhere whether a token is good; undefined: it is not. */
export interface Introspector {
  /** @throws {AuthError} `unavailable` */
  introspect(token: string): Promise<Caller | undefined>;
}

/** What an {@link Authenticator} asks. */
export interface AuthOptions {
  /** `sha256:` and 64 hexadecimal digits in lower case: tokens that may do everything. */
  readonly tokenHashes: readonly string[];
  readonly tokens: Pick<DnsControl["tokens"], "accessOf">;
  readonly introspector?: Introspector | undefined;
  /** Milliseconds, on any clock that only goes forward. */
  readonly now?: () => number;
}

/** Longer is no token: a JWT with many claims has two thousand. */
const MAX_TOKEN = 8192;
/** Wrong tokens that one source may show in a minute. */
const MAX_FAILURES = 30;
const FAILURE_WINDOW_MS = 60_000;
/** Sources that are remembered; the oldest are forgotten. */
const MAX_SOURCES = 4096;

/** Finds out who calls: static tokens, those of the database, then whoever is asked elsewhere. */
export class Authenticator {
  readonly #options: AuthOptions;
  #hashes: readonly Uint8Array[] = [];
  #introspector: Introspector | undefined;
  readonly #failures = new Map<string, { count: number; readonly since: number }>();

  constructor(options: AuthOptions) {
    this.#options = options;
    this.update(options);
  }

  /** Takes other static tokens, and asks others: whoever shows one from now on. */
  update({ tokenHashes, introspector }: Pick<AuthOptions, "tokenHashes" | "introspector">): void {
    this.#hashes = tokenHashes.map((text) => {
      return new Uint8Array(Buffer.from(text.replace(/^sha256:/, ""), "hex"));
    });
    this.#introspector = introspector;
  }

  /**
   * Who shows this `Authorization` (RFC 6750 §2.1).
   *
   * @param address of the client: one that guesses is not heard for a while.
   * @throws {AuthError}
   */
  async authenticate(authorization: string | undefined, address: string): Promise<Caller> {
    this.#refuseGuessers(address);
    const token = tokenOf(authorization);
    const caller = token === undefined ? undefined : await this.#find(token);
    if (caller !== undefined) return caller;
    // To show none is to ask what is wanted; it is no guess.
    if (token !== undefined) this.#note(address);
    const what = token === undefined ? "a bearer token is needed" : "the token is not known";
    throw new AuthError("unknown", what);
  }

  async #find(token: string): Promise<Caller | undefined> {
    const digest = new Uint8Array(createHash("sha256").update(token).digest());
    let isStatic = false;
    let number = 0;
    // Each is compared, and each whole: time says nothing of which one, or of how much of it.
    for (const [i, hash] of this.#hashes.entries()) {
      if (hash.length !== digest.length || !timingSafeEqual(hash, digest)) continue;
      isStatic = true;
      number = i + 1;
    }
    if (isStatic) return { name: `static token ${number}`, access: Access.ADMIN };
    // Looked up by its digest: who can choose a digest has the token.
    const own = this.#options.tokens.accessOf(Buffer.from(digest).toString("hex"));
    if (own !== undefined) return { name: `token ${own.name}`, access: own.access };
    return await this.#introspector?.introspect(token);
  }

  #refuseGuessers(address: string): void {
    const found = this.#failures.get(address);
    if (found === undefined) return;
    if (this.#now() - found.since >= FAILURE_WINDOW_MS) this.#failures.delete(address);
    else if (found.count >= MAX_FAILURES) {
      throw new AuthError("too_many", "too many wrong tokens: try again in a minute");
    }
  }

  #note(address: string): void {
    const found = this.#failures.get(address) ?? { count: 0, since: this.#now() };
    found.count++;
    this.#failures.set(address, found);
    if (this.#failures.size <= MAX_SOURCES) return;
    for (const oldest of this.#failures.keys()) {
      this.#failures.delete(oldest);
      return;
    }
  }

  #now(): number {
    return this.#options.now?.() ?? performance.now();
  }
}

/** The token of `Bearer TOKEN`. */
function tokenOf(authorization: string | undefined): string | undefined {
  if (authorization === undefined || authorization.length > MAX_TOKEN) return undefined;
  return /^bearer +([A-Za-z0-9._~+/-]+=*)$/i.exec(authorization)?.[1];
}

/** Somebody may not do something. */
export function forbidden(): AuthError {
  return new AuthError("forbidden", "the token is not good for this");
}
