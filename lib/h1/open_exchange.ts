import type { Fields } from "../http/mod.ts";
import { BodyReader, type BodySink, type Framing } from "./body_reader.ts";
import type { H1Limits } from "./limits.ts";
import type { LineReader } from "./line_reader.ts";

/** What an {@link OpenExchange} knows of a stream. */
export interface ReceivingStream {
  closed: boolean;
  /** All of the message that comes in has come. */
  received: boolean;
}

/** Who takes the content of messages that come in. */
export interface ContentTaker<Stream> {
  onData(stream: Stream, bytes: Uint8Array, end: boolean): void;
  onTrailers(stream: Stream, fields: Fields): void;
}

/** What an {@link OpenExchange} tells its session. */
export interface ExchangeEvents<Stream> {
  /** The message that comes in has come to its end, or the one that goes out is written to its. */
  onMessageEnd(stream: Stream): void;
  /** The content broke a rule; nothing after it can be found. */
  onBroken(reason: string, stream: Stream): void;
}

/**
 * The exchange that is open on a connection, of which HTTP/1.1 has one at a time, and the content of
 * the message that comes in: read, handed out, and no more of it wanted while the window is full.
 */
export class OpenExchange<Stream extends ReceivingStream> implements BodySink {
  /** Absent: none is open. */
  stream: Stream | undefined;
  /** Content has filled the window: nothing is wanted before half of it was consumed. */
  windowFull = false;
  readonly #window: number;
  readonly #body: BodyReader;
  readonly #taker: ContentTaker<Stream>;
  readonly #events: ExchangeEvents<Stream>;
  /** Content handed out and not consumed. */
  #unconsumed = 0;

  constructor(taker: ContentTaker<NoInfer<Stream>>, events: ExchangeEvents<Stream>, options: {
    readonly limits: H1Limits;
    readonly lines: LineReader;
    readonly isRequest: boolean;
  }) {
    this.#window = options.limits.window;
    this.#taker = taker;
    this.#events = events;
    this.#body = new BodyReader(this, options);
  }

  /** The content that was announced has been read to its end, or there is none. */
  get bodyEnded(): boolean {
    return this.#body.ended;
  }

  /** The content goes on until the connection ends. */
  get untilClose(): boolean {
    return this.#body.untilClose;
  }

  /** A head has announced content. */
  expect(framing: Framing): void {
    this.#body.begin(framing);
  }

  /** Reads content from `at` on; answers the index after what belongs to the message. */
  read(piece: Uint8Array, at: number): number {
    return this.#body.read(piece, at);
  }

  /** So much of what was handed out has been passed on. Whether there is room again. */
  consume(octets: number): boolean {
    this.#unconsumed -= octets;
    if (!this.windowFull || this.#unconsumed > this.#window / 2) return false;
    this.windowFull = false;
    return true;
  }

  /** Ends it: nothing more is read or handed out. */
  close(): void {
    if (this.stream === undefined) return;
    this.stream.closed = true;
    this.stream = undefined;
    this.windowFull = false;
    this.#unconsumed = 0;
    this.#body.stop();
  }

  /** Content that was read, or came through a tunnel. */
  content(bytes: Uint8Array, end: boolean): void {
    const { stream } = this;
    if (stream === undefined) return;
    this.#unconsumed += bytes.length;
    if (this.#unconsumed >= this.#window) this.windowFull = true;
    if (end) stream.received = true;
    this.#taker.onData(stream, bytes, end);
    if (end) this.#events.onMessageEnd(stream);
  }

  /** @ignore */
  trailers(fields: Fields): void {
    const { stream } = this;
    if (stream === undefined) return;
    stream.received = true;
    this.#taker.onTrailers(stream, fields);
    this.#events.onMessageEnd(stream);
  }

  /** @ignore */
  broken(reason: string): void {
    if (this.stream !== undefined) this.#events.onBroken(reason, this.stream);
  }
}
