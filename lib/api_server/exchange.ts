import type { Fields, RequestHead } from "../http/mod.ts";
import type { H1ServerStream } from "../h1/mod.ts";
import type { H2Stream } from "../h2/mod.ts";
import { joined } from "../wire/mod.ts";

/** From a request's head to the end of its content, in milliseconds. */
const BODY_TIMEOUT_MS = 60_000;

/** A request's content cannot be had; the status says why. */
export class BodyError extends Error {
  override readonly name = "BodyError";
  readonly code = "body";
  /** Of HTTP. */
  readonly status: 400 | 408 | 413;

  constructor(status: BodyError["status"], message: string) {
    super(message);
    this.status = status;
  }
}

/** A request for a program. */
export interface ApiRequest {
  readonly method: string;
  /** As it was sent: path and query, nothing decoded. */
  readonly target: string;
  /** The client's address. */
  readonly address: string;
  /** Aborted when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
  /** The value of a field, by its name in lower case; several are joined by commas. */
  field(name: string): string | undefined;
  /**
   * The content; read for the first time only when it is asked for.
   *
   * @throws {BodyError}
   */
  body(limits: BodyLimits): Promise<Uint8Array>;
}

/** How much content, and for how long it is waited for. */
export interface BodyLimits {
  readonly maxBytes: number;
  /** Default: one minute. */
  readonly timeoutMs?: number;
}

/** The answer to one. */
export interface ApiResponse {
  readonly status: number;
  /** Names and values in turn; without lengths, which are set here. */
  readonly fields?: Fields;
  readonly body?: Uint8Array | AsyncIterable<Uint8Array>;
}

/** Of either protocol. */
type ServerStream = H1ServerStream | H2Stream;

/** What an {@link ApiExchange} begins with. */
export interface ApiExchangeOptions {
  readonly head: RequestHead;
  /** Nothing follows the head. */
  readonly isWhole: boolean;
  /** The client's address. */
  readonly address: string;
  /** How long the rest of a request that was answered early may come, in milliseconds. */
  readonly restMs: number;
}

/** One request and its answer. */
export class ApiExchange implements ApiRequest {
  readonly method: string;
  readonly target: string;
  readonly address: string;
  readonly #stream: ServerStream;
  readonly #head: RequestHead;
  readonly #restMs: number;
  readonly #aborter = new AbortController();
  #chunks: Uint8Array[] = [];
  #received = 0;
  #isWhole: boolean;
  #invalid = false;
  #isWanted = false;
  #isAnswered = false;
  #rest: ReturnType<typeof setTimeout> | undefined;
  #arrived = Promise.withResolvers<void>();
  #drained = Promise.withResolvers<void>();

  constructor(stream: ServerStream, { head, isWhole, address, restMs }: ApiExchangeOptions) {
    this.#stream = stream;
    this.#head = head;
    this.#restMs = restMs;
    this.#isWhole = isWhole;
    this.method = head.method;
    this.target = head.path;
    this.address = address;
  }

  get signal(): AbortSignal {
    return this.#aborter.signal;
  }

  field(name: string): string | undefined {
    const { fields } = this.#head;
    const values: string[] = [];
    for (let i = 0; i < fields.length; i += 2) {
      if (fields[i]?.toLowerCase() === name) values.push(fields[i + 1] ?? "");
    }
    return values.length === 0 ? undefined : values.join(", ");
  }

  async body({ maxBytes, timeoutMs = BODY_TIMEOUT_MS }: BodyLimits): Promise<Uint8Array> {
    if (this.#head.contentLength > maxBytes) throw tooLarge(maxBytes);
    this.#isWanted = true;
    // What came before was held back by the window; now the rest may come.
    this.#stream.consume(this.#received);
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      this.#arrived.resolve();
    }, timeoutMs);
    try {
      while (!this.#isWhole) {
        await this.#arrived.promise;
        this.#arrived = Promise.withResolvers();
        if (this.#received > maxBytes) throw tooLarge(maxBytes);
        if (this.#invalid) throw new BodyError(400, "the content of the request is malformed");
        if (this.signal.aborted) throw new BodyError(400, "the request was given up");
        if (late) throw new BodyError(408, `the content did not come within ${timeoutMs} ms`);
      }
      if (this.#received > maxBytes) throw tooLarge(maxBytes);
      return joined(this.#chunks);
    } finally {
      clearTimeout(timer);
      this.#chunks = [];
    }
  }

  /** Content of the request. */
  receive(bytes: Uint8Array, end: boolean): void {
    if (this.#isAnswered) {
      // Dropped, and no window given for more.
      if (end) this.#requestComplete();
      return;
    }
    // A copy: what a session hands out is its own.
    if (bytes.length > 0) this.#chunks.push(bytes.slice());
    this.#received += bytes.length;
    if (this.#isWanted) this.#stream.consume(bytes.length);
    if (end) this.#requestComplete();
    this.#arrived.resolve();
  }

  /** The content broke a rule of HTTP. */
  invalid(): void {
    this.#invalid = true;
    this.#arrived.resolve();
  }

  /** There is room again for the answer. */
  resume(): void {
    this.#drained.resolve();
  }

  /** Nobody waits any more. */
  gone(): void {
    clearTimeout(this.#rest);
    this.#aborter.abort();
    this.#arrived.resolve();
    this.#drained.resolve();
  }

  /** Sends the answer. */
  async answer({ status, fields = [], body }: ApiResponse, now: number): Promise<void> {
    const stream = this.#stream;
    if (stream.closed || this.signal.aborted) return;
    const all = [...fields, "date", new Date(now).toUTCString()];
    const isHead = this.method === "HEAD";
    if (body === undefined || body instanceof Uint8Array) {
      const { length } = body ?? NOTHING;
      const sized = status === 204 || status === 304
        ? all
        : [...all, "content-length", `${length}`];
      const isEmpty = isHead || body === undefined || length === 0;
      stream.respond({ status, fields: sized }, isEmpty);
      if (!isEmpty) stream.sendData(body, true);
    } else {
      stream.respond({ status, fields: all }, isHead);
      if (!isHead) await this.#sendAll(body);
    }
    this.#isAnswered = true;
    this.#chunks = [];
    if (!this.#isWhole) this.#refuseRest();
  }

  /** Breaks an answer off that cannot be finished. */
  fail(): void {
    this.#stream.reset(INTERNAL_ERROR);
  }

  #requestComplete(): void {
    this.#isWhole = true;
    clearTimeout(this.#rest);
  }

  /**
   * Of the request, nothing more is wanted. RFC 9113, section 8.1 lets the stream be reset at once;
   * but what a client is sending then fails in some (curl 7.88 among them), and takes the answer
   * with it. What its window still lets it send is dropped for a moment before.
   */
  #refuseRest(): void {
    const stream = this.#stream;
    if (this.#restMs === 0) return stream.reset(NO_ERROR);
    this.#rest = setTimeout(() => stream.reset(NO_ERROR), this.#restMs);
  }

  async #sendAll(body: AsyncIterable<Uint8Array>): Promise<void> {
    for await (const chunk of body) {
      if (this.signal.aborted) return;
      if (chunk.length === 0) continue;
      this.#drained = Promise.withResolvers();
      if (!this.#stream.sendData(chunk)) await this.#drained.promise;
    }
    if (!this.signal.aborted) this.#stream.sendData(NOTHING, true);
  }
}

const NOTHING = new Uint8Array(0);
/** HTTP/2's codes; HTTP/1.1 ends the connection. */
const NO_ERROR = 0;
const INTERNAL_ERROR = 2;

function tooLarge(maxBytes: number): BodyError {
  return new BodyError(413, `the content is over ${maxBytes} octets`);
}
