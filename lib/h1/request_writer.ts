import type { Fields, RequestInit } from "../http/mod.ts";
import { planRequest } from "./client_request.ts";
import { ClientStream, type ClientStreamPort } from "./client_stream.ts";
import type { Outgoing } from "./outgoing.ts";

const NOTHING = new Uint8Array(0);

/** What a {@link RequestWriter} tells its session. */
export interface RequestEvents {
  /** The request is written to its end. */
  onMessageEnd(stream: ClientStream): void;
  /** The content is not what its head declared. */
  onMisframed(): void;
  /** Content of the answer was passed on. */
  onConsume(octets: number): void;
  /** The owner wants no more of the exchange. */
  onReset(): void;
}

/** Writes the requests of one connection, as its streams ask. */
export class RequestWriter implements ClientStreamPort {
  readonly #out: Outgoing;
  readonly #events: RequestEvents;

  constructor(out: Outgoing, events: RequestEvents) {
    this.#out = out;
    this.#events = events;
  }

  /**
   * Writes a head.
   *
   * @throws {FieldError} if it cannot be sent; nothing was written then.
   */
  begin(init: RequestInit, end: boolean): ClientStream {
    const plan = planRequest(init, end);
    this.#out.head(plan.head);
    this.#out.begin(plan.framing, plan.octets);
    const { protocol = "" } = init;
    if (end || protocol !== "") this.#out.data(NOTHING, true);
    const isHead = init.method === "HEAD";
    return new ClientStream(this, { isHead, protocol: protocol.toLowerCase() });
  }

  /** What was given to a tunnel before it was open goes out. */
  openTunnel(stream: ClientStream): void {
    for (const bytes of stream.early.splice(0)) this.#out.data(bytes, false);
    if (stream.earlyEnd) this.#out.data(NOTHING, true);
    // What came early was answered `false`.
    this.#out.paused = true;
    this.#out.announce();
  }

  sendData(stream: ClientStream, bytes: Uint8Array, end: boolean): boolean {
    if (stream.protocol !== "" && !stream.tunnelOpen) {
      // Bounded by the client's window: nothing of it is consumed before the 101.
      if (bytes.length > 0) stream.early.push(bytes);
      stream.earlyEnd ||= end;
      return bytes.length === 0;
    }
    if (this.#out.ended) return true;
    if (!this.#out.fits(bytes.length, end)) {
      this.#events.onMisframed();
      return true;
    }
    const room = this.#out.data(bytes, end);
    if (end) this.#events.onMessageEnd(stream);
    return room;
  }

  sendTrailers(stream: ClientStream, fields: Fields): void {
    if (stream.protocol !== "" || !this.#out.fits(0, true)) {
      return void this.sendData(stream, NOTHING, true);
    }
    if (this.#out.ended) return;
    this.#out.trailers(fields);
    this.#events.onMessageEnd(stream);
  }

  consume(octets: number): void {
    this.#events.onConsume(octets);
  }

  reset(): void {
    this.#events.onReset();
  }
}
