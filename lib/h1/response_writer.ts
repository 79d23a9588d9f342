import type { Fields, ResponseInit } from "../http/mod.ts";
import { H1StateError } from "./errors.ts";
import type { Outgoing } from "./outgoing.ts";
import { statusLine } from "./phrases.ts";
import { planResponse } from "./response.ts";
import type { ServerStream, ServerStreamPort } from "./server_stream.ts";

const NOTHING = new Uint8Array(0);

/** What a {@link ResponseWriter} tells its session. */
export interface ResponseEvents {
  /** The response is written to its end. */
  onMessageEnd(stream: ServerStream): void;
  /** The content is not what its head declared: the client must not take it for whole. */
  onMisframed(stream: ServerStream): void;
  /** Content of the request was passed on. */
  onConsume(octets: number): void;
  /** The owner wants no more of the exchange. */
  onReset(stream: ServerStream): void;
}

/** Writes the responses of one connection, as its streams ask. */
export class ResponseWriter implements ServerStreamPort {
  readonly #out: Outgoing;
  readonly #events: ResponseEvents;

  constructor(out: Outgoing, events: ResponseEvents) {
    this.#out = out;
    this.#events = events;
  }

  get congested(): boolean {
    return this.#out.congested;
  }

  respond(stream: ServerStream, head: ResponseInit, end: boolean): void {
    if (stream.responded) throw new H1StateError("respond after a final head");
    if (head.status === 101 && stream.isTunnel) return this.#openTunnel(stream, head);
    if (head.status < 200) return this.#inform(stream, head);
    // An error in the middle of an upload is an answer to all of it: the client should stop.
    if (!stream.received && (end || head.status >= 400)) stream.keepAlive = false;
    const { version, isHead, keepAlive } = stream;
    const plan = planResponse(head, { version, isHead, keepAlive, end });
    this.#out.head(plan.head);
    this.#out.begin(plan.framing, plan.octets);
    stream.responded = true;
    if (plan.closes) stream.keepAlive = false;
    if (end) this.#finish(stream, NOTHING);
  }

  sendData(stream: ServerStream, bytes: Uint8Array, end: boolean): boolean {
    if (!stream.responded) throw new H1StateError("content before a head");
    if (this.#out.ended) return true;
    if (end) {
      this.#finish(stream, bytes);
      return true;
    }
    if (this.#out.fits(bytes.length, false)) return this.#out.data(bytes, false);
    this.#events.onMisframed(stream);
    return true;
  }

  sendTrailers(stream: ServerStream, fields: Fields): void {
    if (!stream.responded) throw new H1StateError("trailers before a head");
    if (this.#out.ended) return;
    if (!this.#out.fits(0, true)) return this.#events.onMisframed(stream);
    this.#out.trailers(fields);
    this.#events.onMessageEnd(stream);
  }

  consume(octets: number): void {
    this.#events.onConsume(octets);
  }

  reset(stream: ServerStream): void {
    this.#events.onReset(stream);
  }

  #inform(stream: ServerStream, { status, fields }: ResponseInit): void {
    // RFC 9110 §15.2: not in HTTP/1.0. A 101 without having been asked for means nothing.
    if (stream.version !== "1.1" || status === 101 || this.#out.congested) return;
    this.#out.head({ first: statusLine(status), fields, skip: isContentField, last: "" });
  }

  #openTunnel(stream: ServerStream, { fields }: ResponseInit): void {
    const first = `${statusLine(101)}connection: Upgrade\r\nupgrade: websocket\r\n`;
    this.#out.head({ first, fields, skip: isContentField, last: "" });
    this.#out.begin("raw");
    stream.responded = stream.tunnelOpen = true;
  }

  #finish(stream: ServerStream, bytes: Uint8Array): void {
    if (!this.#out.fits(bytes.length, true)) return this.#events.onMisframed(stream);
    this.#out.data(bytes, true);
    this.#events.onMessageEnd(stream);
  }
}

/** RFC 9110 §8.6: not in a response that has no content by its status. */
function isContentField(name: string): boolean {
  return name === "content-length" || name === "trailer";
}
