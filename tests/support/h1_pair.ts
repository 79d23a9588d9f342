/**
 * Sessions of HTTP/1.1 in memory: what goes in is text, what comes out is recorded.
 *
 * @module
 */
import type { Fields, RequestHead, RequestInit, ResponseHead } from "../../lib/http/mod.ts";
import {
  type H1ClientHandler,
  H1ClientSession,
  type H1ClientStream,
  type H1CloseCause,
  type H1Limits,
  type H1ResetCause,
  type H1ServerHandler,
  H1ServerSession,
  type H1ServerStream,
  type RefusalPage,
} from "../../lib/h1/mod.ts";

/** One octet per character, as HTTP/1.1 heads are. */
export function octets(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

/** The reverse of {@link octets}. */
export function text(chunks: Iterable<Uint8Array>): string {
  let whole = "";
  for (const chunk of chunks) for (const octet of chunk) whole += String.fromCharCode(octet);
  return whole;
}

/** One request and everything that happened to it. */
export interface SeenExchange<Stream, Head> {
  readonly stream: Stream;
  head: Head | undefined;
  readonly informational: Head[];
  body: string;
  /** Pieces that the content came in. */
  pieces: number;
  trailers: Fields | undefined;
  ended: boolean;
  invalid: string | undefined;
  reset: H1ResetCause | undefined;
  drains: number;
}

export type SeenRequest = SeenExchange<H1ServerStream, RequestHead>;
export type SeenAnswer = SeenExchange<H1ClientStream, ResponseHead>;

function unseen<Stream, Head>(stream: Stream): SeenExchange<Stream, Head> {
  return {
    stream,
    head: undefined,
    informational: [],
    body: "",
    pieces: 0,
    trailers: undefined,
    ended: false,
    invalid: undefined,
    reset: undefined,
    drains: 0,
  };
}

/** A server session whose owner records, and answers as the test says. */
export class TestServer implements H1ServerHandler {
  readonly session: H1ServerSession;
  readonly requests: SeenRequest[] = [];
  readonly refusals: { readonly status: number; readonly reason: string }[] = [];
  closed: H1CloseCause | undefined;
  /** For assertions, after which the compiler still knows that it may close later. */
  get open(): boolean {
    return this.closed === undefined;
  }
  outputs = 0;
  now = 0;
  /** Consume content as it arrives. */
  autoConsume = true;
  /** Called with each request, after it was recorded. */
  request: (seen: SeenRequest, end: boolean) => void = () => {};
  /** What is said of statuses where no request came to be. */
  pageFor: (status: number) => RefusalPage | undefined = () => undefined;
  /** Called with content and its end, after they were recorded. */
  data: (seen: SeenRequest, bytes: Uint8Array, end: boolean) => void = () => {};
  invalid: (seen: SeenRequest) => void = ({ stream }) => {
    stream.respond({ status: 400, fields: [] }, true);
  };

  constructor(limits?: H1Limits) {
    this.session = new H1ServerSession({ handler: this, now: 0, ...limits && { limits } });
  }

  /** What the client sends. */
  receive(input: string | Uint8Array): void {
    this.session.receive(typeof input === "string" ? octets(input) : input, this.now);
  }

  /** Flushes as an owner does, until nothing more comes. Answers what went out. */
  flush(): string {
    let out = "";
    for (;;) {
      const before = this.outputs;
      out += text(this.session.takeOutput());
      this.session.resume(this.now);
      if (this.outputs === before && this.session.pendingOutput === 0) return out;
    }
  }

  onOutput(): void {
    this.outputs++;
  }
  onClose(cause: H1CloseCause): void {
    this.closed = cause;
  }
  onRequest(stream: H1ServerStream, head: RequestHead, end: boolean): void {
    const seen: SeenRequest = { ...unseen<H1ServerStream, RequestHead>(stream), head, ended: end };
    stream.context = seen;
    this.requests.push(seen);
    this.request(seen, end);
  }
  onData(stream: H1ServerStream, bytes: Uint8Array, end: boolean): void {
    const seen = stream.context as SeenRequest;
    seen.body += text([bytes]);
    seen.pieces++;
    if (end) seen.ended = true;
    if (this.autoConsume) stream.consume(bytes.length);
    this.data(seen, bytes, end);
  }
  onTrailers(stream: H1ServerStream, fields: Fields): void {
    const seen = stream.context as SeenRequest;
    seen.trailers = fields;
    seen.ended = true;
    this.data(seen, new Uint8Array(0), true);
  }
  onInvalid(stream: H1ServerStream, reason: string): void {
    const seen = stream.context as SeenRequest;
    seen.invalid = reason;
    this.invalid(seen);
  }
  onReset(stream: H1ServerStream, cause: H1ResetCause): void {
    (stream.context as SeenRequest).reset = cause;
  }
  onDrain(stream: H1ServerStream): void {
    (stream.context as SeenRequest).drains++;
  }
  onRefusal(refusal: { readonly status: number; readonly reason: string }): void {
    this.refusals.push(refusal);
  }
}

/** A client session whose owner records. */
export class TestClient implements H1ClientHandler {
  readonly session: H1ClientSession;
  readonly answers: SeenAnswer[] = [];
  closed: H1CloseCause | undefined;
  /** For assertions, after which the compiler still knows that it may close later. */
  get open(): boolean {
    return this.closed === undefined;
  }
  outputs = 0;
  idles = 0;
  now = 0;
  autoConsume = true;
  /** Called with each final head, after it was recorded. */
  response: (seen: SeenAnswer, end: boolean) => void = () => {};
  idle: () => void = () => {};

  constructor(limits?: H1Limits) {
    this.session = new H1ClientSession({ handler: this, now: 0, ...limits && { limits } });
  }

  /** Sends a request; what it wrote is in {@link flush}. */
  ask(init: Partial<RequestInit> = {}, end = true): SeenAnswer {
    const stream = this.session.request({
      method: "GET",
      scheme: "http",
      authority: "b.example",
      path: "/",
      fields: [],
      ...init,
    }, end);
    const seen = unseen<H1ClientStream, ResponseHead>(stream);
    stream.context = seen;
    this.answers.push(seen);
    return seen;
  }

  /** What the backend sends. */
  receive(input: string | Uint8Array): void {
    this.session.receive(typeof input === "string" ? octets(input) : input, this.now);
  }

  /** What went out. */
  flush(): string {
    return text(this.session.takeOutput());
  }

  onOutput(): void {
    this.outputs++;
  }
  onClose(cause: H1CloseCause): void {
    this.closed = cause;
  }
  onResponse(stream: H1ClientStream, head: ResponseHead, end: boolean): void {
    const seen = stream.context as SeenAnswer;
    if (head.status < 200 && head.status !== 101) return void seen.informational.push(head);
    seen.head = head;
    seen.ended = end;
    this.response(seen, end);
  }
  onData(stream: H1ClientStream, bytes: Uint8Array, end: boolean): void {
    const seen = stream.context as SeenAnswer;
    seen.body += text([bytes]);
    seen.pieces++;
    if (end) seen.ended = true;
    if (this.autoConsume) stream.consume(bytes.length);
  }
  onTrailers(stream: H1ClientStream, fields: Fields): void {
    const seen = stream.context as SeenAnswer;
    seen.trailers = fields;
    seen.ended = true;
  }
  onReset(stream: H1ClientStream, cause: H1ResetCause): void {
    (stream.context as SeenAnswer).reset = cause;
  }
  onDrain(stream: H1ClientStream): void {
    (stream.context as SeenAnswer).drains++;
  }
  onIdle(): void {
    this.idles++;
    this.idle();
  }
}

/** Everything that can be seen of exchanges, without what depends on how octets were cut. */
export function summary(
  exchanges: readonly SeenExchange<unknown, RequestHead | ResponseHead>[],
): unknown {
  return exchanges.map(({ head, informational, body, trailers, ended, invalid, reset }) => {
    return { head, informational, body, trailers, ended, invalid, reset };
  });
}
