import type { RequestInit } from "../http/mod.ts";
import { H2StateError } from "./error_codes.ts";
import type { Limits } from "./limits.ts";
import { requestPseudo } from "./pseudo_headers.ts";
import type { Sender } from "./sender.ts";
import type { PeerSettings } from "./settings.ts";
import type { StreamImpl } from "./stream.ts";
import type { StreamTable } from "./stream_table.ts";
import type { H2Handler } from "./types.ts";

/** What opening streams needs of the connection they belong to. */
export interface OpenerHost {
  readonly closed: boolean;
  readonly draining: boolean;
  readonly limits: Limits;
  readonly handler: H2Handler;
  readonly streams: StreamTable;
  readonly sender: Sender;
  readonly peer: PeerSettings;
  /** Enough output waits for the owner's flush. */
  readonly congested: boolean;
  /** Adds a stream with the windows that hold now. */
  open(id: number): StreamImpl;
  /** END_STREAM of this stream is framed. */
  onLocalEnd(stream: StreamImpl): void;
}

/** Opens streams of ours, as many as the peer takes at once, and says when there is room again. */
export class StreamOpener {
  readonly #host: OpenerHost;
  /** `canOpen` was asked and was false. */
  #wasFull = false;

  constructor(host: OpenerHost) {
    this.#host = host;
  }

  /**
   * Whether {@link request} may open another stream now. Not while much output waits: request heads
   * have no window, and a backend that does not read must not fill our memory with them.
   */
  get canOpen(): boolean {
    const { closed, draining, streams, congested } = this.#host;
    const canOpen = !closed && !draining && streams.hasLocalId && !congested &&
      streams.size < this.limit;
    if (!canOpen) this.#wasFull = true;
    return canOpen;
  }

  /** Streams that may be open at once. */
  get limit(): number {
    const { peer, limits } = this.#host;
    return Math.min(peer.maxConcurrentStreams, limits.maxOwnStreams);
  }

  /**
   * Opens a stream with a request head.
   *
   * @throws {H2StateError} if {@link canOpen} is false, or the session ends of what is written.
   * @throws {H2FieldError} if a field cannot be sent; nothing was written then.
   */
  request(head: RequestInit, endStream: boolean): StreamImpl {
    if (!this.canOpen) throw new H2StateError("cannot open a stream: none is available");
    const { streams, sender } = this.#host;
    const { fields, neverIndexed } = head;
    const streamId = streams.nextLocalId;
    sender.headers({ streamId, pseudo: requestPseudo(head), fields, neverIndexed, endStream });
    if (this.#host.closed) throw new H2StateError("cannot open a stream: the session ended");
    streams.takeLocalId();
    const stream = this.#host.open(streamId);
    stream.headSent = true;
    stream.isHead = head.method === "HEAD";
    stream.isConnect = head.method === "CONNECT";
    if (endStream) {
      stream.endQueued = true;
      this.#host.onLocalEnd(stream);
    }
    return stream;
  }

  /** Tells an owner who waited for a stream. */
  announceRoom(): void {
    if (!this.#wasFull || !this.canOpen) return;
    this.#wasFull = false;
    this.#host.handler.onStreamAvailable?.();
  }
}
