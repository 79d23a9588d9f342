import { MAX_31_BITS } from "./frames.ts";
import type { StreamImpl } from "./stream.ts";

/** Streams remembered after their end; frames the peer sent before it knew may still arrive. */
const REMEMBERED = 256;

/** What is known of a stream that is not open. */
export type PastStream = "idle" | "ended" | "reset-by-us" | "forgotten";

/** The streams of a connection: the open ones, and which identifiers are used up (RFC 9113 §5.1.1). */
export class StreamTable {
  readonly #open = new Map<number, StreamImpl>();
  /** Identifiers of past streams in a ring; negative: we reset it. */
  #past: Int32Array | undefined;
  #pastNext = 0;
  readonly #localParity: number;
  #nextLocalId: number;
  #lastPeerId = 0;

  /** `localParity`: 1 for a client, 0 for a server. */
  constructor(localParity: 0 | 1) {
    this.#localParity = localParity;
    this.#nextLocalId = localParity === 1 ? 1 : 2;
  }

  /** Open streams. */
  get size(): number {
    return this.#open.size;
  }

  /** Highest identifier the peer has used. */
  get lastPeerId(): number {
    return this.#lastPeerId;
  }

  /** Whether an identifier is left for a stream of ours. */
  get hasLocalId(): boolean {
    return this.#nextLocalId <= MAX_31_BITS;
  }

  /** The identifier for our next stream. */
  get nextLocalId(): number {
    return this.#nextLocalId;
  }

  /** Uses up that identifier. */
  takeLocalId(): void {
    this.#nextLocalId += 2;
  }

  /** Notes that the peer used `id`; `false` if it may not (parity, or not above the last). */
  takePeerId(id: number): boolean {
    if ((id & 1) === this.#localParity || id <= this.#lastPeerId) return false;
    this.#lastPeerId = id;
    return true;
  }

  /** The open stream `id`. */
  get(id: number): StreamImpl | undefined {
    return this.#open.get(id);
  }

  /** Adds an open stream. */
  add(stream: StreamImpl): void {
    this.#open.set(stream.id, stream);
  }

  /** Forgets a stream; `resetByUs`: the peer may not know yet. */
  remove(id: number, resetByUs: boolean): void {
    this.#open.delete(id);
    this.remember(id, resetByUs);
  }

  /** Remembers how a stream ended that was never added. */
  remember(id: number, resetByUs: boolean): void {
    this.#past ??= new Int32Array(REMEMBERED);
    this.#past[this.#pastNext] = resetByUs ? -id : id;
    this.#pastNext = (this.#pastNext + 1) % REMEMBERED;
  }

  /** What became of a stream that is not open. */
  past(id: number): PastStream {
    if (id === 0) return "idle";
    const used = (id & 1) === this.#localParity ? id < this.#nextLocalId : id <= this.#lastPeerId;
    if (!used) return "idle";
    if (this.#past?.includes(-id)) return "reset-by-us";
    return this.#past?.includes(id) ? "ended" : "forgotten";
  }

  /** The open streams; safe against removal while iterating. */
  all(): IterableIterator<StreamImpl> {
    return this.#open.values();
  }
}
