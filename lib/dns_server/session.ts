import type { IpAddress } from "../addr/mod.ts";
import type { TcpStream } from "../tcp/mod.ts";
import { framed, MessageFrames } from "./frames.ts";
import type { Responder, Response } from "./responder.ts";

const HEADER_OCTETS = 12;
/** Questions of one connection that are answered in one turn; others have theirs in between. */
const IN_TURN = 64;

/** What a {@link Session} is given. */
export interface SessionOptions {
  readonly ip: IpAddress;
  readonly transport: "tcp" | "tls";
  readonly responder: Responder;
  /** Questions that are being answered at one time. */
  readonly pipeline: number;
  /** It has asked something, or taken all answers. */
  readonly onActivity: () => void;
  /** It is over, for whatever reason. */
  readonly onEnd: () => void;
}

/**
 * One connection: questions in any number at once, answers as they come, in any order (RFC 7766 §6.2.1).
 * Of whoever does not read its answers, or waits for too many, nothing more is read.
 */
export class Session {
  readonly onReadError = () => this.cut();
  readonly onWriteError = () => this.cut();
  readonly #stream: TcpStream;
  readonly #options: SessionOptions;
  readonly #frames = new MessageFrames();
  /** Questions that others are asked about. */
  #waiting = 0;
  #turnWanted = false;
  /** No more questions are taken. */
  #noMore = false;
  #clientEnded = false;
  /** Everything was said. */
  #ended = false;
  #over = false;
  #onDrained = () => {};

  constructor(stream: TcpStream, options: SessionOptions) {
    this.#stream = stream;
    this.#options = options;
    stream.handler = this;
    if (stream.closed || stream.readError !== undefined) queueMicrotask(this.onReadError);
    else if (stream.readEnded) queueMicrotask(() => this.onEnd());
    else stream.resume();
  }

  /** Whether an answer is under way that this client does not hold up itself. */
  get isWaiting(): boolean {
    return this.#waiting > 0 && this.#stream.queued === 0;
  }

  onData(octets: Uint8Array): void {
    if (this.#noMore) return; // It is only waited for the client's own end.
    this.#frames.push(octets);
    // Those that came before go first.
    if (!this.#turnWanted) this.#turn();
  }

  onEnd(): void {
    this.#clientEnded = true;
    this.#noMore = true;
    this.#endIfDone();
  }

  onDrain(): void {
    this.#onDrained();
    this.#options.onActivity();
    this.#goOn();
  }

  /** Takes no more questions, and ends when those are answered that came. */
  drain(): void {
    this.#noMore = true;
    this.#endIfDone();
  }

  /** Ends at once. */
  cut(): void {
    if (this.#over) return;
    this.#over = true;
    this.#onDrained();
    this.#stream.reset();
    this.#options.onEnd();
  }

  /** Answers what is there, up to what one turn and one connection may. */
  #turn(): void {
    const answers: Uint8Array[] = [];
    for (let taken = 0; taken < IN_TURN && this.#hasRoom; taken++) {
      const message = this.#frames.next();
      if (message === undefined) break;
      // Not even a header: whoever says so does not speak DNS.
      if (message.length < HEADER_OCTETS) return this.cut();
      this.#options.onActivity();
      const response = this.#answer(message);
      if (response !== undefined) answers.push(response);
    }
    if (answers.length > 0) this.#stream.write(framed(answers));
    this.#goOn();
  }

  get #hasRoom(): boolean {
    return !this.#over && this.#waiting < this.#options.pipeline && !this.#stream.full;
  }

  #answer(message: Uint8Array): Response {
    const { responder, ip, transport } = this.#options;
    const messages = responder.respondAtLength(message, { ip, transport });
    if (messages !== undefined) return this.#answerAtLength(messages);
    const response = responder.respond(message, { ip, transport });
    if (!(response instanceof Promise)) return response;
    this.#waiting++;
    response.then((answer) => {
      this.#waiting--;
      if (this.#over) return;
      if (answer !== undefined) this.#stream.write(framed([answer]));
      this.#options.onActivity();
      this.#goOn();
    }, () => this.cut());
    return undefined;
  }

  /** Writes the messages of a long answer, each when the client has taken those before it. */
  #answerAtLength(messages: AsyncIterable<Uint8Array>): undefined {
    this.#waiting++;
    const writing = async () => {
      for await (const answer of messages) {
        if (this.#over) return;
        this.#stream.write(framed([answer]));
        this.#options.onActivity();
        if (this.#stream.full) await this.#drained();
      }
    };
    writing().then(() => {
      this.#waiting--;
      this.#goOn();
    }, () => this.cut());
  }

  /** Resolves when the client has taken what was written, or is gone. */
  #drained(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#onDrained = resolve;
    return promise;
  }

  /** Reads on, or takes what was read already, or waits until there is room. */
  #goOn(): void {
    if (this.#over) return;
    if (!this.#hasRoom) return void (this.#noMore || this.#stream.pause());
    if (this.#frames.hasNext) {
      this.#stream.pause();
      this.#wantTurn();
    } else if (this.#noMore) this.#endIfDone();
    else this.#stream.resume();
  }

  #wantTurn(): void {
    if (this.#turnWanted) return;
    this.#turnWanted = true;
    setImmediate(() => {
      this.#turnWanted = false;
      if (!this.#over) this.#turn();
    });
  }

  /** Says that there is no more, and waits for the client to say so, too: a RST could undo answers. */
  #endIfDone(): void {
    if (this.#over || this.#waiting > 0 || this.#turnWanted) return;
    if (this.#frames.hasNext) {
      if (this.#hasRoom) this.#wantTurn();
      return;
    }
    if (!this.#ended) this.#stream.end();
    this.#ended = true;
    if (!this.#clientEnded) return this.#stream.resume();
    this.#stream.finish(() => {
      this.#over = true;
      this.#options.onEnd();
    });
  }
}
