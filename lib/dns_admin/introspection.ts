import { createHash } from "node:crypto";
import { Access } from "../dns_control/mod.ts";
import { describeError, type LogSink } from "../observe/mod.ts";
import { AuthError, type Caller, type Introspector } from "./auth.ts";

/** One question, connecting and reading included. */
const TIMEOUT_MS = 5_000;
/** An answer has some hundred octets. */
const MAX_ANSWER = 64 * 1024;
/** So long an answer is remembered: a token that was revoked lets in no longer than that. */
const KEPT_MS = 5_000;
const MAX_KEPT = 1024;
/** Questions that are open; whoever comes then is told that nobody can say. */
const MAX_OPEN = 16;
/** Where a server is asked that is named by its origin alone. */
const DEFAULT_PATH = "/v1/introspect";
const MAX_NAME_CHARACTERS = 64;

/** Whom to ask, and what for. */
export interface IntrospectionOptions {
  /** An https URL. With a path it is asked as it stands, without one at `/v1/introspect`. */
  readonly serverUrl: string;
  /** Authorities of the server's certificate, PEM; empty: those of the runtime. */
  readonly caCertPem: string;
  /** Whom a token has to be for, and what its scopes begin with. */
  readonly serviceName: string;
  /** Each has to be among the token's. */
  readonly tags: readonly string[];
  readonly log: LogSink;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly timeoutMs?: number;
}

interface Kept {
  readonly caller: Promise<Caller | undefined>;
  until: number;
}

/**
 * Asks an identity service about tokens (RFC 7662). What it is taken to answer is an assumption:
 *
 * - `active` is true, or the token is not good;
 * - `aud`, where there is one, has the service's name;
 * - `exp`, where there is one, is to come;
 * - `tags`, a list or words, has every tag that is configured;
 * - `scope` has words of which those that begin with the service's name and a colon count, such as
 *   `mcns:write:example.net`; `roles` with `admin` is `admin`;
 * - `username`, `sub` or `client_id` is who it is, for the audit log.
 *
 * Whatever else happens, nobody is let in.
 */
export class TokenIntrospection implements Introspector, Disposable {
  readonly #options: IntrospectionOptions;
  readonly #url: string;
  readonly #client: Deno.HttpClient;
  readonly #kept = new Map<string, Kept>();
  #open = 0;
  #isRetired = false;
  #isClosed = false;

  /** @throws {TypeError} if the URL is none of https. */
  constructor(options: IntrospectionOptions) {
    const url = new URL(options.serverUrl);
    if (url.protocol !== "https:") throw new TypeError("mcias.server_url is not https");
    if (url.pathname === "/" && url.search === "") url.pathname = DEFAULT_PATH;
    this.#url = url.href;
    this.#options = options;
    const { caCertPem } = options;
    this.#client = Deno.createHttpClient({
      ...caCertPem !== "" && { caCerts: [caCertPem] },
      poolIdleTimeout: 30_000,
    });
  }

  async introspect(token: string): Promise<Caller | undefined> {
    const now = this.#options.now();
    // Not the token: what is in memory may end in a dump.
    const key = createHash("sha256").update(token).digest("base64");
    const kept = this.#kept.get(key);
    if (kept !== undefined && kept.until > now) return await kept.caller;
    if (this.#open >= MAX_OPEN) throw unavailable("too many tokens are being asked about");
    const caller = this.#ask(token);
    const entry: Kept = { caller, until: now + KEPT_MS };
    this.#keep(key, entry);
    try {
      return await caller;
    } catch (error) {
      // The next one asks again.
      if (this.#kept.get(key) === entry) this.#kept.delete(key);
      throw error;
    }
  }

  /** Is not asked any more: ends when the questions under way are answered. */
  retire(): void {
    this.#isRetired = true;
    if (this.#open === 0) this[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    if (!this.#isClosed) this.#client.close();
    this.#isClosed = true;
  }

  #keep(key: string, entry: Kept): void {
    this.#kept.delete(key);
    this.#kept.set(key, entry);
    if (this.#kept.size <= MAX_KEPT) return;
    for (const oldest of this.#kept.keys()) {
      this.#kept.delete(oldest);
      return;
    }
  }

  async #ask(token: string): Promise<Caller | undefined> {
    this.#open++;
    try {
      const response = await fetch(this.#url, {
        method: "POST",
        headers: { accept: "application/json" },
        body: new URLSearchParams({ token, "token_type_hint": "access_token" }),
        // Whoever leads elsewhere would be given the token there.
        redirect: "error",
        client: this.#client,
        signal: AbortSignal.timeout(this.#options.timeoutMs ?? TIMEOUT_MS),
      });
      const text = await readText(response);
      if (response.status !== 200) {
        throw new Error(`the identity service answers ${response.status}`);
      }
      return this.#callerOf(JSON.parse(text));
    } catch (error) {
      const fields = { error: describeError(error) };
      this.#options.log({ level: "error", message: "a token could not be asked about", fields });
      throw unavailable("the identity service cannot be asked", error);
    } finally {
      this.#open--;
      if (this.#isRetired && this.#open === 0) this[Symbol.dispose]();
    }
  }

  #callerOf(answer: unknown): Caller | undefined {
    if (typeof answer !== "object" || answer === null || !("active" in answer)) {
      throw new Error("the identity service says nothing of `active`");
    }
    const { serviceName, tags, now } = this.#options;
    const said = answer as Readonly<Record<string, unknown>>;
    if (said.active !== true) return undefined;
    if (said.aud !== undefined && !wordsOf(said.aud).includes(serviceName)) return undefined;
    if (said.exp !== undefined && !(Number(said.exp) * 1000 > now())) return undefined;
    const own = wordsOf(said.tags);
    if (!tags.every((tag) => own.includes(tag))) return undefined;
    const prefix = `${serviceName}:`;
    const scopes = wordsOf(said.scope).filter((scope) => scope.startsWith(prefix))
      .map((scope) => scope.slice(prefix.length))
      // One that is none of ours takes the others nothing.
      .filter((scope) => Access.of([scope]) !== undefined);
    const isAdmin = wordsOf(said.roles).includes("admin");
    const access = Access.of(isAdmin ? [...scopes, "admin"] : scopes);
    const name = [said.username, said.sub, said.client_id].find(isName) ?? "somebody";
    return access && { name: `mcias ${name}`, access };
  }
}

/** Of a list of words, or a text with spaces between them. */
function wordsOf(value: unknown): readonly string[] {
  if (typeof value === "string") return value.split(" ").filter((word) => word !== "");
  return Array.isArray(value) ? value.filter((word) => typeof word === "string") : [];
}

function isName(value: unknown): value is string {
  return typeof value === "string" && value.length <= MAX_NAME_CHARACTERS &&
    /^[\x21-\x7e]+$/.test(value);
}

function unavailable(message: string, cause?: unknown): AuthError {
  return new AuthError("unavailable", message, { cause });
}

async function readText(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    length += chunk.length;
    if (length > MAX_ANSWER) throw new RangeError(`the answer is over ${MAX_ANSWER} octets`);
    chunks.push(chunk);
  }
  return await new Blob(chunks as BlobPart[]).text();
}
