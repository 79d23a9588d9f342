import { ChunkQueue, type Fields } from "../h2/mod.ts";
import { FieldError } from "../http/mod.ts";
import type { BackendStream, DownstreamStream } from "./message.ts";

const NOTHING = new Uint8Array(0);

/**
 * The content of one request on its way to the backend. What comes before there is a stream waits
 * here, bounded by the client's window; what the stream has taken is given back to that window.
 */
export class Upload {
  /** Octets of content so far. */
  octets = 0;
  /** The client has sent everything, or never sends more. */
  ended: boolean;
  /** The end has been handed to the backend. */
  endForwarded = false;
  readonly #downstream: DownstreamStream;
  #stream: BackendStream | undefined;
  readonly #early = new ChunkQueue();
  #trailers: Fields | undefined;
  #hasTrailers = false;
  /** Handed on and not yet taken. */
  #unconsumed = 0;

  constructor(downstream: DownstreamStream, ended: boolean) {
    this.#downstream = downstream;
    this.ended = ended;
  }

  /** Nothing was sent but a head: it can be sent again whole. */
  get isEmpty(): boolean {
    return this.ended && this.octets === 0 && !this.#hasTrailers;
  }

  /** Content from the client. */
  data(bytes: Uint8Array, end: boolean): void {
    this.octets += bytes.length;
    if (end) this.ended = true;
    if (this.#stream !== undefined) this.#send(this.#stream, bytes, end);
    else this.#early.push(bytes);
  }

  /** The end of the content, with trailers. `false`: one of them cannot be sent. */
  trailers(fields: Fields): boolean {
    this.ended = this.#hasTrailers = true;
    this.#trailers = fields;
    return this.#stream === undefined || this.#sendTrailers(this.#stream, fields);
  }

  /**
   * The request went out on `stream`; `withEnd`: its end too. `false`: a trailer that waited cannot be
   * sent.
   */
  attach(stream: BackendStream, withEnd: boolean): boolean {
    this.#stream = stream;
    if (withEnd) {
      this.endForwarded = true;
      return true;
    }
    const chunks = this.#early.drain();
    const endsHere = this.ended && this.#trailers === undefined;
    for (const [i, bytes] of chunks.entries()) {
      this.#send(stream, bytes, endsHere && i === chunks.length - 1);
    }
    if (this.#trailers !== undefined) return this.#sendTrailers(stream, this.#trailers);
    if (endsHere && !this.endForwarded) this.#send(stream, NOTHING, true);
    return true;
  }

  /** The stream is gone; another may be attached. */
  detach(): void {
    this.#stream = undefined;
    this.endForwarded = false;
  }

  /** The stream takes more. How many octets it had taken late. */
  drained(): number {
    const octets = this.#unconsumed;
    this.#unconsumed = 0;
    if (octets > 0) this.#downstream.consume(octets);
    return octets;
  }

  /** Nobody wants the content any more. */
  drop(): void {
    this.#stream = undefined;
    this.#early.clear();
  }

  #send(stream: BackendStream, bytes: Uint8Array, end: boolean): void {
    if (end) this.endForwarded = true;
    if (stream.sendData(bytes, end)) this.#downstream.consume(bytes.length);
    else this.#unconsumed += bytes.length;
  }

  #sendTrailers(stream: BackendStream, fields: Fields): boolean {
    this.endForwarded = true;
    try {
      if (fields.length === 0) stream.sendData(NOTHING, true);
      else stream.sendTrailers(fields);
    } catch (error) {
      if (!(error instanceof FieldError)) throw error;
      return false;
    }
    return true;
  }
}
