import { type Fields, OutputPool, type RequestInit } from "../http/mod.ts";
import type { Answer } from "./answer.ts";
import { AnswerReader } from "./answer_reader.ts";
import type { ClientStream } from "./client_stream.ts";
import { H1StateError } from "./errors.ts";
import { H1_BACKEND_LIMITS } from "./limits.ts";
import { LineReader } from "./line_reader.ts";
import { type ExchangeEvents, OpenExchange } from "./open_exchange.ts";
import type { ClientOptions } from "./options.ts";
import { Outgoing } from "./outgoing.ts";
import { type RequestEvents, RequestWriter } from "./request_writer.ts";
import type { H1ClientHandler, H1ClientStream, H1CloseCause, H1ResetCause } from "./types.ts";

const NOTHING = new Uint8Array(0);

/**
 * One HTTP/1.1 connection to a backend, without I/O and without a clock: one request at a time.
 * Whatever a backend sends, the request gets one well-formed answer or one `onReset`, and what
 * follows an answer is never taken for the next one.
 *
 * The owner's duties are those of `H1ServerSession`, but for the lingering: when `onClose` is
 * called, nobody waits for anything on the connection. `onOutput` comes for each request.
 *
 * @example
 * ```ts
 * import { H1ClientSession } from "./client_session.ts";
 * import assert from "node:assert/strict";
 *
 * const nothing = () => {};
 * let status = 0;
 * const session = new H1ClientSession({
 *   now: 0,
 *   handler: {
 *     onOutput: nothing, onClose: nothing, onData: nothing, onTrailers: nothing,
 *     onReset: nothing, onDrain: nothing, onIdle: nothing,
 *     onResponse: (_stream, head) => status = head.status,
 *   },
 * });
 * session.request({ method: "GET", scheme: "http", authority: "b.example", path: "/", fields: [] }, true);
 * const [request] = session.takeOutput();
 * assert.equal(new TextDecoder().decode(request), "GET / HTTP/1.1\r\nhost: b.example\r\n\r\n");
 * session.receive(new TextEncoder().encode("HTTP/1.1 204 No Content\r\n\r\n"), 1);
 * assert.equal(status, 204);
 * assert.equal(session.idle, true);
 * ```
 */
export class H1ClientSession implements ExchangeEvents<ClientStream>, RequestEvents {
  readonly #handler: H1ClientHandler;
  readonly #answers: AnswerReader;
  readonly #exchange: OpenExchange<ClientStream>;
  readonly #out: Outgoing;
  readonly #requests: RequestWriter;
  #now: number;
  #closed = false;
  #draining = false;
  #idleSince: number;
  #receiving = false;
  /** An exchange ended and `onIdle` was not called yet. */
  #settled = false;

  constructor(
    { handler, limits = H1_BACKEND_LIMITS, pool = new OutputPool(), now }: ClientOptions,
  ) {
    this.#handler = handler;
    this.#now = this.#idleSince = now;
    const lines = new LineReader();
    this.#answers = new AnswerReader(limits, lines);
    this.#exchange = new OpenExchange(handler, this, { limits, lines, isRequest: false });
    const onOutput = () => handler.onOutput();
    this.#out = new Outgoing({ pool, sendBuffer: limits.sendBuffer, onOutput });
    this.#requests = new RequestWriter(this.#out, this);
  }

  // --- what the owner may ask ------------------------------------------------------------------

  /** The session is over. */
  get closed(): boolean {
    return this.#closed;
  }

  /** A request may be sent now. */
  get idle(): boolean {
    return !this.#closed && !this.#draining && this.#exchange.stream === undefined;
  }

  /** Since when no request is open, on the owner's clock; -1 while one is. */
  get idleSince(): number {
    return this.#exchange.stream === undefined ? this.#idleSince : -1;
  }

  /** Nothing should be read from the socket now. */
  get congested(): boolean {
    return !this.#closed && this.#exchange.windowFull;
  }

  /** Octets waiting for `takeOutput`. */
  get pendingOutput(): number {
    return this.#out.pending;
  }

  // --- what the owner may do -------------------------------------------------------------------

  /**
   * Sends a request.
   *
   * @throws {H1StateError} if the session is not `idle`.
   * @throws {FieldError} if the head cannot be sent; nothing was written then.
   */
  request(init: RequestInit, end = false): H1ClientStream {
    if (!this.idle) throw new H1StateError("a request on a connection that is not idle");
    const stream = this.#requests.begin(init, end);
    this.#exchange.stream = stream;
    return stream;
  }

  /** Takes no more requests: the one that is open is answered, then the connection ends. */
  shutdown(): void {
    this.#draining = true;
    if (this.#exchange.stream === undefined) this.#end("owner", "shutdown");
  }

  /** Ends at once; an open request is told. */
  close(reason: string): void {
    this.#lose("lost", reason);
    this.#end("owner", reason);
  }

  // --- octets ----------------------------------------------------------------------------------

  /** Reads octets from the backend, cut anywhere, at `now`. */
  receive(bytes: Uint8Array, now: number): void {
    this.#now = now;
    this.#receiving = true;
    this.#read(bytes);
    this.#receiving = false;
    if (this.#settled && this.idle) this.#announceIdle();
  }

  #read(bytes: Uint8Array): void {
    let at = 0;
    while (at < bytes.length && !this.#closed) {
      const { stream } = this.#exchange;
      if (stream === undefined) {
        // RFC 9112 §9.2: an answer to nothing. What it belongs to cannot be known.
        return this.#end("rules", "octets that no request asked for", true);
      }
      // It cannot be an answer to what has not left.
      if (!stream.sent) return this.#break("octets before the request", true);
      stream.untouched = false;
      if (stream.tunnelOpen) return this.#exchange.content(bytes.subarray(at), false);
      if (stream.received) return void (stream.reusable = false);
      at = stream.answered ? this.#exchange.read(bytes, at) : this.#readHead(stream, bytes, at);
    }
  }

  /** The backend closed its side. */
  receiveEnd(now: number): void {
    this.#now = now;
    const { stream } = this.#exchange;
    if (this.#closed) return;
    if (stream !== undefined && (stream.tunnelOpen || this.#exchange.untilClose)) {
      stream.reusable = false;
      if (!stream.received) this.#exchange.content(NOTHING, true);
      // A tunnel may still carry octets the other way.
      if (!stream.tunnelOpen) this.#leave();
      return;
    }
    if (stream?.received) return this.#leave();
    const reason = stream?.untouched === false
      ? "the backend left in the middle of its answer"
      : "the backend closed the connection";
    this.#lose("peer", reason);
    this.#end("peer", reason);
  }

  /** Everything to write now, in order. It may be called at any time and may give nothing. */
  takeOutput(): Uint8Array[] {
    const taken = this.#out.take();
    const { stream } = this.#exchange;
    if (stream !== undefined) stream.sent = true;
    if (this.#out.paused && stream !== undefined) {
      this.#out.paused = false;
      this.#handler.onDrain(stream);
    }
    return taken;
  }

  /** The connection is lost: the request is told, nothing is written. */
  abort(reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#lose("lost", reason);
  }

  #readHead(stream: ClientStream, bytes: Uint8Array, at: number): number {
    const answer = this.#answers.read(bytes, at, stream);
    const { next } = this.#answers;
    if (answer === "need") return next;
    if ("broken" in answer) this.#break(answer.broken);
    else this.#answer(stream, answer);
    return next;
  }

  #answer(stream: ClientStream, { head, framing, reusable, opensTunnel }: Answer): void {
    if (opensTunnel) return this.#openTunnel(stream, head.fields);
    if (head.status < 200) return this.#handler.onResponse(stream, head, false);
    stream.answered = true;
    stream.reusable &&= reusable;
    // RFC 9110 §15.3.6: there is none; what comes all the same is not read.
    const isReset = head.status === 205 && framing !== undefined;
    if (isReset) stream.reusable = false;
    const end = framing === undefined || isReset;
    if (end) stream.received = true;
    else this.#exchange.expect(framing);
    this.#handler.onResponse(stream, head, end);
    if (end) this.onMessageEnd(stream);
  }

  #openTunnel(stream: ClientStream, fields: Fields): void {
    stream.answered = stream.tunnelOpen = true;
    stream.reusable = false;
    this.#out.begin("raw");
    this.#handler.onResponse(stream, { status: 101, fields, contentLength: -1 }, false);
    if (stream.closed) return;
    this.#requests.openTunnel(stream);
  }

  /** @ignore */
  onBroken(reason: string): void {
    this.#break(reason);
  }

  // --- the stream's calls ----------------------------------------------------------------------

  /** @ignore */
  onConsume(octets: number): void {
    if (this.#exchange.consume(octets)) this.#out.announce();
  }

  /** @ignore */
  onReset(): void {
    this.#exchange.close();
    // A request that is not wanted any more leaves the connection in no state to be used again.
    this.#end("owner", "the request was given up", true);
  }

  /** @ignore */
  onMisframed(): void {
    this.#break("the request is not as long as it declared");
  }

  /** @ignore Ends the exchange when both messages have ended. */
  onMessageEnd(stream: ClientStream): void {
    if (stream.closed || !stream.received || !this.#out.ended) return;
    this.#exchange.close();
    this.#idleSince = this.#now;
    if (!stream.reusable || this.#draining) return this.#end("peer", "the last answer was given");
    // Not before everything that came with the answer was looked at: octets behind it would be taken
    // for the answer to the next request.
    this.#settled = true;
    if (!this.#receiving) this.#announceIdle();
  }

  #announceIdle(): void {
    this.#settled = false;
    this.#handler.onIdle();
  }

  /** The answer is complete; who still sends its request need not. */
  #leave(): void {
    if (this.#closed) return;
    this.#exchange.close();
    this.#end("peer", "the backend closed the connection");
  }

  /** The answer is none that can be passed on. */
  #break(reason: string, untouched = false): void {
    this.#lose("rules", reason, untouched);
    this.#end("rules", reason, true);
  }

  #lose(by: H1ResetCause["by"], reason: string, untouched?: boolean): void {
    const { stream } = this.#exchange;
    if (stream === undefined) return;
    this.#exchange.close();
    this.#handler.onReset(stream, { by, reason, untouched: untouched ?? stream.untouched });
  }

  #end(by: H1CloseCause["by"], reason: string, abrupt = false): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#handler.onClose({ by, reason, abrupt });
  }
}
