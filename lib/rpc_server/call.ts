import type { H2Stream, RequestHead } from "../h2/mod.ts";
import {
  decodeInSteps,
  encodeBadRequest,
  encodeInSteps,
  RpcError,
  STATUS_DETAILS,
} from "../rpc/mod.ts";
import { runInSlices } from "../slices/mod.ts";
import { encodeStatusMessage, frameMessage, MessageReader, parseTimeout } from "./frames.ts";
import type { DescMethod } from "@bufbuild/protobuf";
import type { CallContext, Method } from "./service.ts";

/** Bounds on what callers can make the server hold, and where its errors go. */
export interface CallLimits {
  /** Calls with one answer that run at one time; more are refused with `resource_exhausted`. */
  readonly maxCalls: number;
  /** Calls with a stream of answers that are open at one time. */
  readonly maxStreams: number;
  /** The longest that a call with one answer may take, whatever deadline it has. */
  readonly maxCallMs: number;
  /** Octets of one message. */
  readonly maxMessageBytes: number;
  /** What both of these are for methods that take or give much, by their names. */
  readonly large?: Readonly<Record<string, Pick<CallLimits, "maxCallMs" | "maxMessageBytes">>>;
  /** Requests of a stream that wait for their handler; more are refused. */
  readonly maxWaitingRequests: number;
  /**
   * Looks whether a call may be made, from its head alone; until it resolves no more of the request is
   * read than the window of a stream. What it throws ends the call.
   */
  readonly admit?: (context: CallContext, method: DescMethod) => Promise<void>;
  /** Turns errors of the service into `RpcError`s; what it does not know it returns as it is. */
  readonly translate: (error: unknown) => unknown;
  /** An error that is still no `RpcError`: the caller is told `internal` and nothing else. */
  readonly onError: (method: string, error: unknown) => void;
}

/** What is running now, over all connections. */
export interface Load {
  calls: number;
  streams: number;
}

/** HTTP/2's NO_ERROR: the answer is complete, the rest of the request is not needed. */
const NO_ERROR = 0;
const CONTENT_TYPE = ["content-type", "application/grpc"] as const;

/** One call: a stream, from its head to its trailers. */
export class GrpcCall {
  readonly #stream: H2Stream;
  readonly #head: RequestHead;
  readonly #method: Method;
  readonly #limits: CallLimits;
  readonly #load: Load;
  readonly #address: string | undefined;
  readonly #kind: "calls" | "streams";
  readonly #reader: MessageReader;
  readonly #aborter = new AbortController();
  #isAdmitted: boolean;
  /** Octets that came before it was. */
  #held = 0;
  /** Not decoded yet. */
  readonly #requests: Uint8Array[] = [];
  #arrived = Promise.withResolvers<void>();
  #drained = Promise.withResolvers<void>();
  #requestEnded = false;
  #over = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    stream: H2Stream,
    head: RequestHead,
    { method, limits, load, address }: {
      readonly method: Method;
      readonly limits: CallLimits;
      readonly load: Load;
      /** The caller's; absent: it came over a Unix socket. */
      readonly address?: string | undefined;
    },
  ) {
    this.#address = address;
    this.#stream = stream;
    this.#head = head;
    this.#method = method;
    this.#limits = { ...limits, ...limits.large?.[method.desc.name] };
    this.#isAdmitted = limits.admit === undefined;
    this.#load = load;
    this.#kind = method.desc.methodKind === "unary" ? "calls" : "streams";
    this.#reader = new MessageReader(this.#limits.maxMessageBytes);
  }

  /** Begins to answer. */
  start(): void {
    const most = this.#kind === "calls" ? this.#limits.maxCalls : this.#limits.maxStreams;
    if (this.#load[this.#kind] >= most) {
      this.#fail(
        new RpcError("resource_exhausted", `the server answers ${most} ${this.#kind} already`),
      );
      return;
    }
    this.#load[this.#kind]++;
    this.#setDeadline();
    this.#admitAndAnswer()
      .then(() => this.#finish(), (error) => this.#fail(error))
      .finally(() => this.#load[this.#kind]--);
  }

  /** Octets of the request. */
  receive(bytes: Uint8Array): void {
    // What is read is bounded by the longest message, not by the window.
    if (this.#isAdmitted) this.#stream.consume(bytes.length);
    else this.#held += bytes.length;
    if (this.#over) return;
    try {
      for (const message of this.#reader.receive(bytes)) this.#take(message);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** The request is complete. */
  end(): void {
    this.#requestEnded = true;
    this.#arrived.resolve();
  }

  /** There is room again for answers. */
  drained(): void {
    this.#drained.resolve();
  }

  /** Nobody waits for the answer any more. */
  cancel(): void {
    this.#close();
    this.#aborter.abort();
    this.#arrived.resolve();
    this.#drained.resolve();
  }

  #take(octets: Uint8Array): void {
    if (this.#requests.length >= this.#limits.maxWaitingRequests) {
      throw new RpcError("resource_exhausted", "too many requests wait on one stream");
    }
    const waiting = this.#requests.reduce((sum, { length }) => sum + length, octets.length);
    if (waiting > this.#limits.maxMessageBytes) {
      throw new RpcError("resource_exhausted", "requests that wait are over the limit of one");
    }
    this.#requests.push(octets);
    this.#arrived.resolve();
  }

  async #admitAndAnswer(): Promise<void> {
    if (!this.#isAdmitted) {
      await this.#limits.admit?.(this.#context(), this.#method.desc);
      this.#isAdmitted = true;
      this.#stream.consume(this.#held);
    }
    await this.#answer();
  }

  async #answer(): Promise<void> {
    const { desc, handle } = this.#method;
    const context = this.#context();
    if (desc.methodKind === "bidi_streaming") {
      return await this.#answerMany(handle(this.#allRequests(), context));
    }
    const request = await this.#onlyRequest();
    if (this.#over) return;
    const answer = handle(request, context);
    if (desc.methodKind === "server_streaming") return await this.#answerMany(answer);
    await this.#send(await answer);
  }

  async #answerMany(answers: unknown): Promise<void> {
    for await (const answer of answers as AsyncIterable<unknown>) {
      if (this.#over) return;
      await this.#send(answer);
    }
  }

  async #onlyRequest(): Promise<unknown> {
    while (!this.#requestEnded && !this.#over) await this.#more();
    if (this.#requests.length !== 1 && !this.#over) {
      throw new RpcError("invalid_argument", `one request is needed, not ${this.#requests.length}`);
    }
    return await this.#decode(this.#requests.shift() ?? new Uint8Array());
  }

  async *#allRequests(): AsyncGenerator<unknown> {
    for (;;) {
      const request = this.#requests.shift();
      if (request !== undefined) yield await this.#decode(request);
      else if (this.#requestEnded || this.#over) return;
      else await this.#more();
    }
  }

  /** A large message takes seconds, in which other calls have their turns. */
  async #decode(octets: Uint8Array): Promise<unknown> {
    try {
      const { signal } = this.#aborter;
      return await runInSlices(decodeInSteps(this.#method.desc.input, octets), { signal });
    } catch (cause) {
      const message = "the request is not a message of its type";
      throw new RpcError("invalid_argument", message, { cause });
    }
  }

  async #more(): Promise<void> {
    await this.#arrived.promise;
    this.#arrived = Promise.withResolvers();
    if (this.#requestEnded) this.#arrived.resolve();
  }

  /** Waits for a slow reader: it makes the server hold one message and no more. */
  async #send(message: unknown): Promise<void> {
    if (this.#over) return;
    const { signal } = this.#aborter;
    const encoding = encodeInSteps(this.#method.desc.output, message as Record<string, unknown>);
    const octets = await runInSlices(encoding, { signal });
    if (this.#over) return;
    if (!this.#stream.responded) this.#stream.respond({ status: 200, fields: CONTENT_TYPE });
    this.#drained = Promise.withResolvers();
    if (!this.#stream.sendData(frameMessage(octets))) await this.#drained.promise;
  }

  #finish(): void {
    if (this.#over) return;
    this.#close();
    if (!this.#stream.responded) this.#stream.respond({ status: 200, fields: CONTENT_TYPE });
    this.#stream.sendTrailers(["grpc-status", "0"]);
    this.#stream.reset(NO_ERROR);
  }

  #fail(thrown: unknown): void {
    if (this.#over) return;
    this.#close();
    this.#aborter.abort();
    this.#arrived.resolve();
    this.#drained.resolve();
    const { status, message, violations } = this.#toRpcError(thrown);
    const details = violations.length === 0
      ? []
      : [STATUS_DETAILS, encodeBadRequest({ status, message, violations })];
    const said = encodeStatusMessage(message);
    const fields = ["grpc-status", `${status}`, "grpc-message", said, ...details];
    if (this.#stream.responded) this.#stream.sendTrailers(fields);
    else this.#stream.respond({ status: 200, fields: [...CONTENT_TYPE, ...fields] }, true);
    this.#stream.reset(NO_ERROR);
  }

  #toRpcError(thrown: unknown): RpcError {
    const error = this.#limits.translate(thrown);
    if (error instanceof RpcError) return error;
    this.#limits.onError(this.#head.path, error);
    return new RpcError("internal", "internal error; the proxy's log says more");
  }

  #close(): void {
    this.#over = true;
    clearTimeout(this.#timer);
  }

  #setDeadline(): void {
    const asked = parseTimeout(this.#field("grpc-timeout") ?? "") ?? Infinity;
    const most = this.#kind === "calls" ? this.#limits.maxCallMs : Infinity;
    const ms = Math.min(asked, most);
    if (ms > MAX_TIMER_MS) return;
    const late = new RpcError("deadline_exceeded", `no answer within ${ms} ms`);
    this.#timer = setTimeout(() => this.#fail(late), ms);
  }

  #context(): CallContext {
    const address = this.#address;
    return {
      signal: this.#aborter.signal,
      metadata: (key) => this.#field(key),
      ...address !== undefined && { address },
    };
  }

  #field(name: string): string | undefined {
    const { fields } = this.#head;
    for (let i = 0; i < fields.length; i += 2) if (fields[i] === name) return fields[i + 1];
    return undefined;
  }
}

/** What `setTimeout` can count; a deadline beyond it is none. */
const MAX_TIMER_MS = 2 ** 31 - 1;
