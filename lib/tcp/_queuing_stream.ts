import { describeError } from "../observe/mod.ts";
import type { HandleThread } from "./_handle_thread.ts";
import { streamError } from "./_stream_error.ts";
import { HANDLER_FAILED, MAX_QUEUED, StreamError, type StreamHandler } from "./stream.ts";

/**
 * What the streams on the runtime's handles have in common: whom they tell, what of theirs is queued,
 * which counts for the whole thread, and how writing ends.
 */
export abstract class QueuingStream {
  abstract handler: StreamHandler;
  queued = 0;
  readEnded = false;
  readError: StreamError | undefined;
  protected readonly thread: HandleThread;
  /** No more is written: a FIN was asked for. */
  protected ended = false;
  /** A write has failed. */
  protected broken = false;
  /** {@link TcpStream.close} was called. */
  protected isClosed = false;
  protected onFinished: (() => void) | undefined;

  constructor(thread: HandleThread) {
    this.thread = thread;
  }

  get full(): boolean {
    return this.queued > (this.thread.buffers.scarce ? 0 : MAX_QUEUED);
  }

  abstract reset(): void;
  abstract close(): void;

  /** Its owner threw, which here would end the thread: the connection is cut instead. */
  failed(error: unknown): void {
    const { handler } = this;
    this.reset();
    handler.onReadError(new StreamError(HANDLER_FAILED, describeError(error)));
  }

  finish(done: () => void): void {
    this.onFinished = done;
    this.finishIfDrained();
  }

  /** What is written now goes nowhere; whoever writes is told of it where it happened. */
  protected get takesNothing(): boolean {
    return this.isClosed || this.ended || this.broken;
  }

  protected count(octets: number): void {
    this.queued += octets;
    this.thread.buffers.queued += octets;
  }

  protected cannotWrite(status: number): void {
    if (this.broken || this.isClosed) return;
    this.broken = true;
    this.handler.onWriteError(streamError("write", status));
  }

  /** Nothing waits any more: who had stopped may go on. */
  protected tellDrained(): void {
    if (!this.broken) this.handler.onDrain();
    this.finishIfDrained();
  }

  protected finishIfDrained(): void {
    if (this.onFinished === undefined || this.queued > 0) return;
    const done = this.onFinished;
    this.close();
    done();
  }
}
