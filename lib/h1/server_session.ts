import { OutputPool } from "../http/mod.ts";
import { H1_EDGE_LIMITS } from "./limits.ts";
import { LineReader } from "./line_reader.ts";
import { HeadDeadline } from "./head_deadline.ts";
import { HeldInput } from "./held_input.ts";
import { type ExchangeEvents, OpenExchange } from "./open_exchange.ts";
import { Outgoing } from "./outgoing.ts";
import { refusal } from "./refusal.ts";
import type { ServerOptions } from "./options.ts";
import { RequestReader } from "./request_reader.ts";
import { type ResponseEvents, ResponseWriter } from "./response_writer.ts";
import { ServerStream } from "./server_stream.ts";
import type { H1CloseCause, H1ServerHandler } from "./types.ts";

const NOTHING = new Uint8Array(0);

/**
 * One HTTP/1.1 connection of a client, without I/O and without a clock. The owner passes octets to
 * `receive` and time to `tick`; the session calls the handler and collects output.
 *
 * Requests run one after the other: what a client sends ahead waits unparsed, and `congested` asks
 * the owner not to read more of it (RFC 9112 §9.3.2). After an answer with `Connection: close`, and
 * after any error, nothing that follows is parsed (§9.6).
 *
 * The owner's duties:
 * - flush at each `onOutput` as {@link H1ServerHandler.onOutput} says;
 * - while `congested`, do not read from the socket;
 * - call `tick` about once a second, `receiveEnd` at the client's FIN, `abort` when it is lost;
 * - at `onClose`, write what is left, close its own side, read and drop what still comes for a
 *   bounded time, and only then close: a RST would take the answer away (§9.6).
 *
 * @example
 * ```ts
 * import { H1ServerSession } from "./server_session.ts";
 * import assert from "node:assert/strict";
 *
 * const nothing = () => {};
 * const session = new H1ServerSession({
 *   now: 0,
 *   handler: {
 *     onOutput: nothing, onClose: nothing, onData: nothing, onTrailers: nothing,
 *     onReset: nothing, onDrain: nothing, onInvalid: nothing,
 *     onRequest: (stream, head) => stream.respond({ status: 204, fields: ["x-path", head.path] }, true),
 *   },
 * });
 * session.receive(new TextEncoder().encode("GET /x HTTP/1.1\r\nHost: a.example\r\n\r\n"), 1);
 * const [answer] = session.takeOutput();
 * assert.equal(new TextDecoder().decode(answer), "HTTP/1.1 204 No Content\r\nx-path: /x\r\n\r\n");
 * ```
 */
export class H1ServerSession implements ExchangeEvents<ServerStream>, ResponseEvents {
  readonly #handler: H1ServerHandler;
  readonly #requests: RequestReader;
  readonly #exchange: OpenExchange<ServerStream>;
  readonly #out: Outgoing;
  readonly #responses: ResponseWriter;
  #now: number;
  #closed = false;
  #draining = false;
  readonly #held = new HeldInput();
  readonly #head: HeadDeadline;

  constructor(options: ServerOptions) {
    const { handler, limits = H1_EDGE_LIMITS, pool = new OutputPool(), now } = options;
    const { ignoresUpgrades = false } = options;
    this.#handler = handler;
    this.#now = now;
    this.#head = new HeadDeadline(limits, now);
    const lines = new LineReader();
    this.#requests = new RequestReader({ limits, lines, ignoresUpgrades });
    this.#exchange = new OpenExchange(handler, this, { limits, lines, isRequest: true });
    const onOutput = () => handler.onOutput();
    this.#out = new Outgoing({ pool, sendBuffer: limits.sendBuffer, onOutput });
    this.#responses = new ResponseWriter(this.#out, this);
  }

  // --- what the owner may ask ------------------------------------------------------------------

  /** The session is over; it neither reads nor answers anything. */
  get closed(): boolean {
    return this.#closed;
  }

  /** A request is being answered. */
  get busy(): boolean {
    return this.#exchange.stream !== undefined;
  }

  /** Nothing should be read from the socket now. Octets that are given all the same are kept. */
  get congested(): boolean {
    if (this.#closed) return false;
    if (this.#held.any || this.#exchange.windowFull) return true;
    // An upload goes on beside a response that is not read: the client may read only afterwards.
    const wantsHead = !this.busy || this.#exchange.bodyEnded;
    return wantsHead && this.#out.congested;
  }

  /** Octets came ahead of their turn, and now it is theirs: `resume` goes on with them. */
  get waiting(): boolean {
    if (!this.#held.any || this.#closed) return false;
    const { stream } = this.#exchange;
    return stream === undefined ? !this.#out.congested : stream.tunnelOpen;
  }

  /** Octets waiting for `takeOutput`. */
  get pendingOutput(): number {
    return this.#out.pending;
  }

  // --- octets and time -------------------------------------------------------------------------

  /** Reads octets from the client, cut anywhere, at `now`. */
  receive(bytes: Uint8Array, now: number): void {
    this.#now = now;
    if (this.#closed || bytes.length === 0) return;
    if (!this.#held.add(bytes)) this.#parse(bytes);
  }

  /**
   * Goes on with what came ahead of its turn, by one request at most: 64 KiB may hold thousands that
   * are answered at once, and a thread has other connections.
   */
  resume(now: number): void {
    this.#now = now;
    if (!this.waiting) return;
    const held = this.#held.take();
    if (held !== undefined) this.#parse(held);
  }

  /**
   * The client closed its side. A tunnel may go on the other way; whoever waits for an answer and
   * closes has given it up, as that is the only way to say so in HTTP/1.1 (nginx, Envoy and Go see it
   * so too). What was answered still goes out.
   */
  receiveEnd(now: number): void {
    this.#now = now;
    const { stream } = this.#exchange;
    if (this.#closed) return;
    if (stream?.tunnelOpen) {
      if (!stream.received) this.#exchange.content(NOTHING, true);
      return;
    }
    const reason = stream === undefined
      ? "the client closed the connection"
      : "the client left before it was answered";
    this.#dropStream(reason);
    this.#end("peer", reason);
  }

  /** Everything to write now, in order. It may be called at any time and may give nothing. */
  takeOutput(): Uint8Array[] {
    const taken = this.#out.take();
    const { stream } = this.#exchange;
    if (this.#out.paused && stream !== undefined) {
      this.#out.paused = false;
      this.#handler.onDrain(stream);
    }
    return taken;
  }

  /** Checks the deadlines of heads; those of an exchange are the owner's. */
  tick(now: number): void {
    this.#now = now;
    if (this.#closed || this.busy) return;
    if (!this.#head.isOver(now)) return;
    if (this.#head.begun) return this.#refuse(408, "a head was not finished in time");
    this.#end("deadline", "idle");
  }

  /** The connection is lost: the exchange ends, nothing is written. */
  abort(reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#held.take();
    this.#dropStream(reason);
  }

  /** Takes no more requests: the one that is open is answered, then the connection ends. */
  shutdown(): void {
    this.#draining = true;
    if (this.#closed) return;
    const { stream } = this.#exchange;
    if (stream === undefined) this.#end("owner", "shutdown");
    else if (!stream.isTunnel) stream.keepAlive = false;
  }

  // --- input -----------------------------------------------------------------------------------

  #parse(piece: Uint8Array): void {
    let at = 0;
    let requests = 0;
    while (at < piece.length && !this.#closed) {
      const { stream } = this.#exchange;
      if (stream === undefined) {
        // A client that does not read its answers gets no more of them.
        if (requests > 0 || this.#out.congested) return this.#held.hold(piece, at);
        at = this.#readHead(piece, at);
        if (this.busy || !this.#head.begun) requests++;
      } else if (stream.tunnelOpen) {
        return this.#exchange.content(piece.subarray(at), false);
      } else if (this.#exchange.bodyEnded) {
        return this.#held.hold(piece, at);
      } else {
        at = this.#exchange.read(piece, at);
      }
    }
  }

  #readHead(piece: Uint8Array, at: number): number {
    this.#head.begin(this.#now);
    const request = this.#requests.read(piece, at);
    const { next } = this.#requests;
    if (request === "need") return next;
    if ("refuse" in request) {
      this.#refuse(request.refuse, request.reason);
      return next;
    }
    const stream = new ServerStream(this.#responses, request);
    if (this.#draining) stream.keepAlive = false;
    this.#exchange.stream = stream;
    if (request.framing !== undefined) this.#exchange.expect(request.framing);
    this.#handler.onRequest(stream, request.head, stream.received);
    return next;
  }

  /** @ignore */
  onBroken(reason: string, stream: ServerStream): void {
    stream.keepAlive = false;
    stream.received = true;
    this.#handler.onInvalid(stream, reason);
  }

  // --- what the stream asks --------------------------------------------------------------------

  /** @ignore */
  onConsume(octets: number): void {
    if (this.#exchange.consume(octets)) this.#out.announce();
  }

  /** @ignore */
  onReset(stream: ServerStream): void {
    const complete = stream.responded && this.#out.ended;
    const abrupt = !complete && stream.responded && this.#out.endsWithConnection;
    this.#exchange.close();
    this.#end("owner", complete ? "the request was not wanted to its end" : "cut off", abrupt);
  }

  /** @ignore */
  onMisframed(stream: ServerStream): void {
    this.#exchange.close();
    const reason = "the answer is not as long as it declared";
    this.#handler.onReset(stream, { by: "rules", reason, untouched: false });
    this.#end("rules", reason);
  }

  /** @ignore Ends the exchange when both messages have ended. */
  onMessageEnd(stream: ServerStream): void {
    if (stream.closed || !stream.responded || !this.#out.ended) return;
    // A refused upgrade has no content; what came behind it is nobody's.
    if (!stream.received && !(stream.isTunnel && !stream.tunnelOpen)) return;
    this.#exchange.close();
    if (!stream.keepAlive) return this.#end("owner", "the last answer was given");
    this.#head.rest(this.#now);
    if (this.#held.any) this.#out.announce();
  }

  /** Answers what never became a request, and ends. */
  #refuse(status: number, reason: string): void {
    const page = this.#handler.pageFor?.(status);
    const { isHead } = this.#requests;
    for (const octets of refusal(status, { page, isHead })) this.#out.text(octets);
    this.#handler.onRefusal?.({ status, reason });
    this.#end(status === 408 ? "deadline" : "rules", reason);
  }

  #dropStream(reason: string): void {
    const { stream } = this.#exchange;
    if (stream === undefined) return;
    this.#exchange.close();
    this.#handler.onReset(stream, { by: "lost", reason, untouched: false });
  }

  #end(by: H1CloseCause["by"], reason: string, abrupt = false): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#held.take();
    this.#handler.onClose({ by, reason, abrupt });
  }
}
