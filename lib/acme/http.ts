import { AcmeError, problemError } from "./error.ts";

/** One exchange with a CA, connecting and reading included; CAs that issue slowly say `processing`. */
const TIMEOUT_MS = 30_000;
/** An answer is a few kilobytes; a chain with an odd root reaches twenty. */
const MAX_BODY_BYTES = 256 * 1024;
/** A URL of a CA is some hundred characters. */
const MAX_URL = 2048;
/** Longer than that no CA may make us wait: it would be a way to let certificates expire. */
const MAX_RETRY_AFTER_MS = 24 * 3_600_000;

/** How a CA is spoken to. */
export interface AcmeHttpOptions {
  /** PEM of the authorities of the CA's own server; absent: the system's. */
  readonly caPem?: string | undefined;
  readonly userAgent: string;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly timeoutMs?: number;
}

/** An answer of a CA, read to its end. */
export interface AcmeAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly retryAfterMs: number | undefined;
}

/** What one exchange is. */
export interface AcmeExchange {
  /** For messages: "an order". */
  readonly doing: string;
  readonly body?: string;
  readonly method?: "HEAD" | "GET";
  readonly accept?: string;
  readonly signal?: AbortSignal | undefined;
}

/**
 * HTTPS with a CA. Everything is bounded: time, length, and where it may lead (nowhere: RFC 8555 has no
 * redirects, and whoever answers with one is not the CA that was configured).
 */
export class AcmeHttp implements Disposable {
  readonly #client: Deno.HttpClient;
  readonly #options: AcmeHttpOptions;

  constructor(options: AcmeHttpOptions) {
    this.#options = options;
    this.#client = Deno.createHttpClient({
      ...options.caPem !== undefined && { caCerts: [options.caPem] },
      poolIdleTimeout: 30_000,
    });
  }

  /**
   * Sends one request. Whatever the status, the answer is given.
   *
   * @throws {AcmeError}
   */
  async exchange(url: string, exchange: AcmeExchange): Promise<AcmeAnswer> {
    const { doing, body, method = "GET", accept, signal } = exchange;
    checkUrl(url);
    const timeout = AbortSignal.timeout(this.#options.timeoutMs ?? TIMEOUT_MS);
    const signals = signal === undefined ? [timeout] : [timeout, signal];
    try {
      const response = await fetch(url, {
        method: body === undefined ? method : "POST",
        headers: {
          "user-agent": this.#options.userAgent,
          ...accept !== undefined && { accept },
          ...body !== undefined && { "content-type": "application/jose+json" },
        },
        ...body !== undefined && { body },
        redirect: "manual",
        client: this.#client,
        signal: AbortSignal.any(signals),
      });
      const text = await readText(response, doing);
      const { status, headers } = response;
      if (status >= 300 && status < 400) {
        throw new AcmeError("malformed", `the CA answers ${doing} with a redirect (${status})`);
      }
      return { status, headers, text, retryAfterMs: retryAfterOf(headers, this.#options.now()) };
    } catch (error) {
      throw toAcmeError(error, { doing, timeout, signal });
    }
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }
}

/**
 * The answer's JSON object.
 *
 * @throws {AcmeError} if the CA refuses, or says something else.
 */
export function jsonOf(
  { status, text, retryAfterMs }: AcmeAnswer,
  doing: string,
): Record<string, unknown> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    json = undefined;
  }
  if (status < 200 || status >= 300) throw problemError(json, { status, retryAfterMs, doing });
  if (typeof json !== "object" || json === null || Array.isArray(json)) {
    throw new AcmeError("malformed", `the CA answers ${doing} with something else than an object`);
  }
  return json as Record<string, unknown>;
}

/** Only HTTPS: whoever reads a nonce and answers in the CA's place could choose what we do next. */
export function checkUrl(url: unknown): asserts url is string {
  if (typeof url === "string" && url.length <= MAX_URL && URL.parse(url)?.protocol === "https:") {
    return;
  }
  throw new AcmeError("malformed", "the CA names a URL that is none, too long or not https");
}

async function readText(response: Response, doing: string): Promise<string> {
  if (response.body === null) return "";
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body) {
    length += chunk.length;
    if (length > MAX_BODY_BYTES) {
      throw new AcmeError(
        "too_large",
        `the CA's answer to ${doing} is over ${MAX_BODY_BYTES} octets`,
      );
    }
    chunks.push(chunk);
  }
  return await new Blob(chunks as BlobPart[]).text();
}

/** Seconds or a date (RFC 9110 §10.2.3); nonsense is nothing. */
function retryAfterOf(headers: Headers, now: number): number | undefined {
  const value = headers.get("retry-after")?.trim();
  if (value === undefined || value === "") return undefined;
  const ms = /^\d{1,9}$/.test(value) ? Number(value) * 1000 : Date.parse(value) - now;
  return Number.isFinite(ms) ? Math.min(Math.max(ms, 0), MAX_RETRY_AFTER_MS) : undefined;
}

function toAcmeError(
  error: unknown,
  { doing, timeout, signal }: {
    readonly doing: string;
    readonly timeout: AbortSignal;
    readonly signal: AbortSignal | undefined;
  },
): AcmeError {
  if (error instanceof AcmeError) return error;
  if (signal?.aborted) return new AcmeError("cancelled", `${doing} was given up`, { cause: error });
  if (timeout.aborted) {
    return new AcmeError("timeout", `the CA does not answer ${doing} in time`, { cause: error });
  }
  const why = error instanceof Error ? error.message : String(error);
  return new AcmeError("network", `the CA cannot be reached for ${doing}: ${why.slice(0, 300)}`, {
    cause: error,
  });
}
