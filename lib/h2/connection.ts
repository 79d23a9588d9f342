import type { OutputPool } from "../http/mod.ts";
import { AbuseGuard, type Budget } from "./abuse.ts";
import { ErrorCode } from "./error_codes.ts";
import { ReceiveWindow } from "./flow_control.ts";
import { DEAF, Forsaken, type StreamOwner } from "./forsaken.ts";
import type { Limits } from "./limits.ts";
import { OwnerCalls, type OwnerHost } from "./owner_calls.ts";
import { Sender, type SenderEvents } from "./sender.ts";
import { defaultPeerSettings } from "./settings.ts";
import { StreamImpl } from "./stream.ts";
import { type OpenerHost, StreamOpener } from "./stream_opener.ts";
import { StreamTable } from "./stream_table.ts";
import type { CloseCause, H2Handler, ResetCause } from "./types.ts";

/** Which side of the connection this is. */
export type Role = "server" | "client";

/** WINDOW_UPDATE frames that a full DATA frame of ours explains: stream and connection, and spare. */
const UPDATES_PER_FRAME = 4;

/** Content of a DATA frame that is worth its frame, in octets. */
export const SMALL_CONTENT = 256;

/** What makes a connection. */
export interface ConnectionInit {
  readonly role: Role;
  readonly limits: Limits;
  readonly handler: H2Handler;
  readonly pool: OutputPool;
  /** Shared by the connections of one peer. */
  readonly resets?: Budget | undefined;
  /** On the owner's clock. */
  readonly now: number;
}

/**
 * The state both directions of a connection share: its streams, its windows, its budgets, and how
 * streams and the connection end. `Inbound` feeds it, `Sender` writes for it.
 */
export class Connection implements OpenerHost, OwnerHost, SenderEvents {
  readonly role: Role;
  readonly limits: Limits;
  readonly handler: H2Handler;
  readonly streams: StreamTable;
  readonly sender: Sender;
  readonly guard: AbuseGuard;
  readonly forsaken: Forsaken;
  readonly opener = new StreamOpener(this);
  readonly #calls = new OwnerCalls(this);
  readonly peer = defaultPeerSettings();
  readonly window: ReceiveWindow;

  /** On the owner's clock. */
  now = 0;
  /** No more input is looked at and no stream is open. */
  closed = false;
  /** Our SETTINGS were acknowledged. */
  settingsAcked = false;
  /** The peer's SETTINGS arrived. */
  settingsReceived = false;
  /** No new stream is opened or taken; the connection closes after the last one. */
  draining = false;
  /** Highest stream of the peer that we take; lowered by the final GOAWAY. */
  acceptUpTo = Infinity;
  /** Since when no stream is open; meaningless while one is. */
  idleSince: number;

  constructor(init: ConnectionInit) {
    this.role = init.role;
    this.limits = init.limits;
    this.handler = init.handler;
    this.streams = new StreamTable(init.role === "client" ? 1 : 0);
    this.guard = new AbuseGuard(init.limits, init.resets);
    this.forsaken = new Forsaken(this.guard.ownResets, (stream, code) => {
      this.resetNow(stream, code);
    });
    this.sender = new Sender(init.pool, init.limits, this);
    this.window = new ReceiveWindow(init.limits.connectionWindow);
    this.setNow(init.now);
    this.idleSince = init.now;
  }

  /** Moves the clock; a step back is ignored. */
  setNow(now: number): void {
    if (now > this.now) this.now = this.sender.now = now;
  }

  /** Enough output waits for the owner's flush. */
  get congested(): boolean {
    return this.sender.pending >= this.limits.outputHighWater;
  }

  // --- streams -------------------------------------------------------------------------------

  /** Adds a stream with the windows that hold now. */
  open(id: number): StreamImpl {
    const stream = new StreamImpl(this.#calls, {
      id,
      sendWindow: this.peer.initialWindowSize,
      receiveWindow: this.limits.streamWindow,
      maxReceiveWindow: this.limits.maxStreamWindow,
      now: this.now,
    });
    this.streams.add(stream);
    return stream;
  }

  /** Sends RST_STREAM for a stream whose owner does not want to hear of it. */
  resetNow(stream: StreamImpl, code: number): void {
    this.sender.reset(stream.id, code);
    this.#remove(stream, true);
  }

  /** Who is told of a stream. */
  ownerOf(stream: StreamImpl): StreamOwner {
    return stream.forsaken ? DEAF : this.handler;
  }

  /** Opens the connection's window again. */
  credit(octets: number): void {
    const increment = this.window.give(octets);
    if (increment > 0 && !this.closed) this.sender.windowUpdate(0, increment);
  }

  // --- ends ----------------------------------------------------------------------------------

  /** The peer's END_STREAM arrived and the owner was told. */
  afterRemoteEnd(stream: StreamImpl): void {
    if (stream.localEnded && !stream.closed) this.#end(stream);
  }

  /** Takes tokens; without them the connection ends (RFC 9113 §10.5). */
  spend(budget: Budget, what: string, tokens = 1): boolean {
    if (budget.spend(this.now, tokens)) return true;
    this.fail(ErrorCode.enhanceYourCalm, `too many ${what}`);
    return false;
  }

  /**
   * Resets a stream because the peer broke a rule. It counts like a reset by the peer: provoking
   * ours is the same attack (CVE-2025-8671).
   */
  streamError(id: number, code: number, reason: string): void {
    const stream = this.streams.get(id);
    this.sender.reset(id, code);
    if (stream === undefined) {
      this.streams.remember(id, true);
    } else {
      this.#remove(stream, true);
      this.ownerOf(stream).onReset(stream, { code, by: "rules", reason, retryable: false });
    }
    this.spend(this.guard.resets, "stream errors");
  }

  /** The peer ended a stream early. */
  peerReset(stream: StreamImpl, cause: ResetCause): void {
    // RFC 9113 §8.1: from a server, after a whole response, this only says that the rest of the
    // request is not wanted; gRPC servers do it often. A client that says it has left like any other
    // that resets, however politely: whoever works on its answer must hear of it.
    if (this.role === "client" && cause.code === ErrorCode.noError && stream.remoteEnded) {
      return this.#end(stream);
    }
    this.#remove(stream, false);
    this.ownerOf(stream).onReset(stream, cause);
  }

  /** The peer takes no streams of ours above `lastStreamId` (RFC 9113 §6.8). */
  peerGoaway(code: number, lastStreamId: number): void {
    if (this.role === "client") {
      this.draining = true;
      const reason = "not processed before GOAWAY";
      for (const stream of this.streams.all()) {
        if (stream.id <= lastStreamId) continue;
        this.#remove(stream, true);
        this.ownerOf(stream).onReset(stream, { code, by: "session", reason, retryable: true });
      }
    }
    this.handler.onGoaway?.(code, lastStreamId);
    this.closeIfDrained();
  }

  /** The peer broke a rule of the connection: GOAWAY, and nothing more is read. */
  fail(code: number, reason: string): void {
    this.end({ code, by: "rules", reason });
  }

  /** Ends the connection now. An error by us is announced with GOAWAY. */
  end(cause: CloseCause): void {
    if (this.closed) return;
    this.closed = true;
    if (cause.by !== "peer") {
      const last = Math.min(this.streams.lastPeerId, this.acceptUpTo);
      this.sender.goaway(last, cause.code, cause.reason);
    }
    this.abandon(cause);
    this.handler.onClose(cause);
  }

  /** Resets every open stream without telling the peer. */
  abandon(cause: CloseCause): void {
    this.closed = true;
    // A peer that never sent SETTINGS does not speak HTTP/2 and cannot have processed anything.
    const retryable = !this.settingsReceived;
    const { code, reason } = cause;
    for (const stream of this.streams.all()) {
      this.#remove(stream, true);
      this.ownerOf(stream).onReset(stream, { code, by: "session", reason, retryable });
    }
  }

  /** Closes a draining connection whose last stream is gone. */
  closeIfDrained(): void {
    if (!this.draining || this.closed || this.streams.size > 0) return;
    if (this.role === "server" && this.acceptUpTo === Infinity) return;
    this.closed = true;
    this.handler.onClose({ code: ErrorCode.noError, by: "owner", reason: "drained" });
  }

  // --- what the sender tells -------------------------------------------------------------------

  onOutput(): void {
    this.handler.onOutput();
  }

  onOverflow(): void {
    this.fail(ErrorCode.enhanceYourCalm, "peer does not read what it asked for");
  }

  onDrain(stream: StreamImpl): void {
    // One that is forsaken has nothing queued.
    this.handler.onDrain(stream);
  }

  onDataSent(octets: number, full: boolean): void {
    if (full) this.guard.windowUpdates.credit(UPDATES_PER_FRAME);
    this.guard.control.credit(octets / SMALL_CONTENT);
  }

  onLocalEnd(stream: StreamImpl): void {
    if (stream.closed) return;
    stream.localEnded = true;
    if (stream.remoteEnded) {
      this.#end(stream);
    } else if (stream.resetWhenSent) {
      this.sender.reset(stream.id, ErrorCode.noError);
      this.#remove(stream, true);
    }
  }

  #end(stream: StreamImpl): void {
    if (this.role === "client") this.guard.resets.credit(1);
    this.#remove(stream, false);
    this.ownerOf(stream).onEnd?.(stream);
  }

  #remove(stream: StreamImpl, resetByUs: boolean): void {
    stream.closed = true;
    this.sender.forget(stream);
    stream.receiveWindow.release();
    this.streams.remove(stream.id, resetByUs);
    if (stream.forsaken) this.forsaken.remove(stream);
    if (stream.unconsumed > 0 && !this.limits.creditOnReceipt) this.credit(stream.unconsumed);
    stream.unconsumed = 0;
    if (this.streams.size === 0) this.idleSince = this.now;
    this.opener.announceRoom();
    this.closeIfDrained();
  }
}
