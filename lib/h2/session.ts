import { OutputPool, type RequestInit } from "../http/mod.ts";
import { Connection, type Role } from "./connection.ts";
import { checkDeadlines } from "./deadlines.ts";
import type { Budget } from "./abuse.ts";
import { ErrorCode } from "./error_codes.ts";
import { FrameReader } from "./frame_reader.ts";
import { DEFAULT_MAX_FRAME, MAX_31_BITS } from "./frames.ts";
import { Inbound, type InboundEvents } from "./inbound.ts";
import { BACKEND_LIMITS, EDGE_LIMITS, type Limits } from "./limits.ts";
import { greet, PrefaceReader } from "./preface.ts";
import { DEFAULT_WINDOW, type PeerSettings } from "./settings.ts";
import type { H2Handler, H2Stream } from "./types.ts";
import { UnfinishedFrame } from "./unfinished_frame.ts";

const NOTHING = new Uint8Array(0);

/** What makes a session. */
export interface SessionOptions {
  readonly role: Role;
  readonly handler: H2Handler;
  /** `EDGE_LIMITS` for a server and `BACKEND_LIMITS` for a client unless given. */
  readonly limits?: Limits;
  /** Buffers for output; give one pool to all sessions of a thread. */
  readonly pool?: OutputPool;
  /** The peer's resets count here too; give one to all connections of one peer. */
  readonly resets?: Budget;
  /** The owner's clock in milliseconds; any monotonic one. */
  readonly now: number;
}

/**
 * One HTTP/2 connection of either role, without I/O and without a clock. The owner passes octets
 * to `receive` and time to `tick`; the session calls the handler and collects output.
 *
 * The owner's duties:
 * - flush once after construction (the preface and SETTINGS wait), then at each `onOutput`:
 *   schedule one flush (a microtask, say) and write everything `takeOutput` gives. While the socket
 *   is full, do not take: the session then queues, and pauses the sources;
 * - while `congested`, and for `restMs`, do not read from the socket;
 * - call `tick` about once a second;
 * - at `onClose`, flush and close the connection. When it is lost, call `abort`.
 *
 * @example
 * ```ts
 * import { H2Session } from "./session.ts";
 * import assert from "node:assert/strict";
 *
 * const nothing = () => {};
 * const base = {
 *   onOutput: nothing, onClose: nothing, onData: nothing,
 *   onTrailers: nothing, onReset: nothing, onDrain: nothing,
 * };
 * const server = new H2Session({
 *   role: "server",
 *   now: 0,
 *   handler: {
 *     ...base,
 *     onRequest: (stream, head) => stream.respond({ status: 200, fields: ["x-path", head.path] }, true),
 *   },
 * });
 * let answer: readonly string[] = [];
 * const client = new H2Session({
 *   role: "client",
 *   now: 0,
 *   handler: { ...base, onResponse: (_stream, head) => answer = head.fields },
 * });
 * client.request({ method: "GET", scheme: "https", authority: "a.example", path: "/x", fields: [] }, true);
 * for (const octets of client.takeOutput()) server.receive(octets, 1);
 * for (const octets of server.takeOutput()) client.receive(octets, 2);
 * assert.deepEqual(answer, ["x-path", "/x"]);
 * ```
 */
export class H2Session implements InboundEvents {
  readonly #connection: Connection;
  readonly #inbound: Inbound;
  readonly #reader: FrameReader;
  readonly #startedAt: number;
  readonly #unfinished = new UnfinishedFrame();
  readonly #preface: PrefaceReader;
  #pingSerial = 0;
  #pingSince = -1;
  #drainSerial = -1;
  #drainSince = -1;

  /** @throws {RangeError} if a window of `limits` is below 65,535 octets. */
  constructor(options: SessionOptions) {
    const { role, handler, now } = options;
    const limits = options.limits ?? (role === "server" ? EDGE_LIMITS : BACKEND_LIMITS);
    if (limits.streamWindow < DEFAULT_WINDOW || limits.connectionWindow < DEFAULT_WINDOW) {
      throw new RangeError(`windows must be at least ${DEFAULT_WINDOW} octets: peers assume that`);
    }
    const { pool = new OutputPool(), resets } = options;
    this.#connection = new Connection({ role, handler, limits, pool, resets, now });
    this.#startedAt = now;
    this.#inbound = new Inbound(this.#connection, this);
    this.#reader = new FrameReader(this.#inbound, DEFAULT_MAX_FRAME);
    this.#preface = new PrefaceReader(role);
    greet(this.#connection.sender, { role, limits });
  }

  // --- what the owner may ask ------------------------------------------------------------------

  /** The session is over; it neither reads nor opens anything. */
  get closed(): boolean {
    return this.#connection.closed;
  }

  /** Enough output waits: stop reading from the socket until it was written. */
  get congested(): boolean {
    return this.#connection.congested;
  }

  /** Milliseconds for which to read nothing from the socket: the peer sends much that is small. */
  get restMs(): number {
    const { guard, now, closed } = this.#connection;
    return closed ? 0 : guard.waitMs(now);
  }

  /** Octets waiting for `takeOutput`. */
  get pendingOutput(): number {
    return this.#connection.sender.pending;
  }

  /** Streams that are open in either direction. */
  get openStreams(): number {
    return this.#connection.streams.size;
  }

  /** Since when no stream is open, on the owner's clock; -1 while one is. */
  get idleSince(): number {
    return this.#connection.streams.size > 0 ? -1 : this.#connection.idleSince;
  }

  /** Whether `request` would open a stream now (client role). */
  get canOpenStream(): boolean {
    return this.#connection.role === "client" && this.#connection.opener.canOpen;
  }

  /** Streams that may be open at once (client role). */
  get streamLimit(): number {
    return this.#connection.opener.limit;
  }

  /** The peer's SETTINGS arrived: it does speak HTTP/2. */
  get settingsReceived(): boolean {
    return this.#connection.settingsReceived;
  }

  /** What the peer allows, or the defaults until it said so. */
  get peerSettings(): Readonly<PeerSettings> {
    return this.#connection.peer;
  }

  /** GOAWAY went out or came in: no new streams. */
  get draining(): boolean {
    return this.#connection.draining;
  }

  // --- octets and time -------------------------------------------------------------------------

  /**
   * Reads octets from the peer, cut anywhere, at `now`. Every event happens inside this call. Stops
   * after `work` frames (a header block counts as several) and answers how many octets were read: an
   * owner with other connections gives the rest in its next turn.
   */
  receive(bytes: Uint8Array, now: number, work = Infinity): number {
    this.#connection.setNow(now);
    if (this.#connection.closed) return bytes.length;
    const rest = this.#preface.done ? bytes : this.#readPreface(bytes);
    const read = bytes.length - rest.length + this.#reader.receive(rest, work);
    if (this.#connection.closed) {
      this.#reader.stop();
      return bytes.length;
    }
    this.#unfinished.note(this.#reader, now);
    return read;
  }

  /** Everything to write now, in order. It may be called at any time and may give nothing. */
  takeOutput(): Uint8Array[] {
    const taken = this.#connection.sender.take();
    this.#connection.opener.announceRoom();
    return taken;
  }

  /** Checks every deadline; call it about once a second. */
  tick(now: number): void {
    const connection = this.#connection;
    connection.setNow(now);
    if (this.#drainSince >= 0 && now - this.#drainSince >= connection.limits.drainNoticeMs) {
      this.#finishDrain();
    }
    if (connection.closed) return;
    connection.forsaken.tick(now);
    checkDeadlines(connection, {
      started: this.#startedAt,
      frame: this.#unfinished.since,
      headerBlock: this.#inbound.blocks.openSince,
      ping: this.#pingSince,
    });
  }

  /** The connection is lost: every stream ends, nothing is written. */
  abort(reason: string): void {
    this.#reader.stop();
    if (this.#connection.closed) return;
    this.#connection.abandon({ code: ErrorCode.cancel, by: "peer", reason });
  }

  // --- the owner's wishes ----------------------------------------------------------------------

  /**
   * Opens a stream with a request (client role).
   *
   * @throws {H2StateError} if `canOpenStream` is false.
   * @throws {H2FieldError} if a field cannot be sent; nothing was written then.
   */
  request(head: RequestInit, endStream = false): H2Stream {
    return this.#connection.opener.request(head, endStream);
  }

  /** Sends a PING; `onPong` tells of its answer, `tick` ends the session without one. */
  ping(): void {
    if (this.#connection.closed) return;
    if (this.#pingSince < 0) this.#pingSince = this.#connection.now;
    this.#sendPing();
  }

  /**
   * Ends in good order: open streams finish, new ones are not taken, then `onClose`. A server first
   * says so without a limit, so that requests already on their way are still served (RFC 9113 §6.8).
   */
  shutdown(): void {
    const connection = this.#connection;
    if (connection.closed || connection.draining) return;
    connection.draining = true;
    if (connection.role === "client") {
      connection.sender.goaway(0, ErrorCode.noError, "shutdown");
      return connection.closeIfDrained();
    }
    connection.sender.goaway(MAX_31_BITS, ErrorCode.noError, "shutdown");
    this.#drainSince = connection.now;
    this.#drainSerial = this.#sendPing();
  }

  /**
   * The stream that just ended was worth its work (server role): one reset is forgiven. Only the
   * owner knows; an answer that costs nothing must not buy the reset of a request that costs much.
   */
  creditReset(): void {
    this.#connection.guard.resets.credit(1);
  }

  /** Ends at once: GOAWAY with `code`, every open stream is reset, then `onClose`. */
  close(code: number, reason: string): void {
    this.#connection.end({ code, by: "owner", reason });
    this.#reader.stop();
  }

  /** Called by the inbound side. */
  pong(serial: number): void {
    if (serial === this.#drainSerial && this.#drainSince >= 0) return this.#finishDrain();
    if (serial !== this.#pingSerial || this.#pingSince < 0) return;
    const elapsedMs = this.#connection.now - this.#pingSince;
    this.#pingSince = -1;
    this.#connection.handler.onPong?.(elapsedMs);
  }

  /** Answers what follows the client's preface. */
  #readPreface(bytes: Uint8Array): Uint8Array {
    const rest = this.#preface.read(bytes);
    if (rest !== undefined) return rest;
    this.#connection.fail(ErrorCode.protocolError, "invalid connection preface");
    return NOTHING;
  }

  #sendPing(): number {
    this.#connection.sender.ping([0, ++this.#pingSerial], false);
    return this.#pingSerial;
  }

  #finishDrain(): void {
    const connection = this.#connection;
    this.#drainSince = -1;
    if (connection.closed) return;
    connection.acceptUpTo = connection.streams.lastPeerId;
    connection.sender.goaway(connection.acceptUpTo, ErrorCode.noError, "shutdown");
    connection.closeIfDrained();
  }
}
