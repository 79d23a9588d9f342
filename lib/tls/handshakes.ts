/** From the ClientHello to the end of the handshake, in milliseconds. */
export const HANDSHAKE_TIMEOUT_MS = 10_000;

/** Handshakes under way in one worker; each holds a descriptor and some 50 kB. */
const MAX_UNDER_WAY = 2048;
/** Of them, those of one source. An honest client needs a few hundredths of a second for its own. */
const MAX_OF_SOURCE = 256;

/**
 * Handshakes that one turn of the event loop begins. Each costs a millisecond or two of signing: a
 * crowd of hellos that came together kept everybody else waiting for all of theirs.
 */
const BEGUN_IN_TURN = 4;

/** Bounds of {@link Handshakes}; tests make them small. */
export interface HandshakesOptions {
  /** Default: {@link HANDSHAKE_TIMEOUT_MS}. */
  readonly timeoutMs?: number | undefined;
  /** Default: 2,048. */
  readonly max?: number;
  /** Default: 256. */
  readonly maxOfSource?: number;
  /** Calls back in another turn of the event loop; default: `setImmediate`. */
  readonly later?: (run: () => void) => void;
}

/** One handshake under way. */
interface Entry {
  readonly source: string;
  readonly giveWay: () => void;
}

/**
 * The TLS handshakes that are under way in one worker, whatever server they are for. When there are
 * too many, of one source or in all, the oldest gives way to the newest: a client that takes part is
 * done long before it is the oldest, so whoever opens handshakes and says no more only displaces
 * himself. Refusing the newest would let him shut everybody else out.
 */
export class Handshakes {
  readonly timeoutMs: number;
  readonly #max: number;
  readonly #maxOfSource: number;
  readonly #later: (run: () => void) => void;
  /** Those that wait for a turn; all of them are counted. */
  readonly #waiting: (() => void)[] = [];
  #begunInTurn = 0;
  #armed = false;
  readonly #all = new Set<Entry>();
  readonly #bySource = new Map<string, Set<Entry>>();

  constructor(options: HandshakesOptions = {}) {
    this.timeoutMs = options.timeoutMs ?? HANDSHAKE_TIMEOUT_MS;
    this.#max = options.max ?? MAX_UNDER_WAY;
    this.#maxOfSource = options.maxOfSource ?? MAX_OF_SOURCE;
    this.#later = options.later ?? setImmediate;
  }

  /** How many are under way. */
  get size(): number {
    return this.#all.size;
  }

  /**
   * Counts one more until the result is called. `giveWay` is called at most once, when it has to
   * make room; it is not counted any more then.
   */
  begin(source: string, giveWay: () => void): () => void {
    const same = this.#bySource.get(source) ?? new Set();
    if (same.size >= this.#maxOfSource) this.#displaceOldest(same);
    else if (this.#all.size >= this.#max) this.#displaceOldest(this.#all);
    const entry = { source, giveWay };
    this.#all.add(entry);
    this.#bySource.set(source, same.add(entry));
    return () => void this.#remove(entry);
  }

  /** Calls `work`, the costly part of a handshake, in this turn or, behind others, in a later one. */
  inTurn(work: () => void): void {
    if (this.#waiting.length > 0 || this.#begunInTurn >= BEGUN_IN_TURN) {
      this.#waiting.push(work);
    } else {
      this.#begunInTurn++;
      work();
    }
    this.#arm();
  }

  #arm(): void {
    if (this.#armed) return;
    this.#armed = true;
    this.#later(() => this.#turn());
  }

  #turn(): void {
    this.#armed = false;
    this.#begunInTurn = 0;
    for (const work of this.#waiting.splice(0, BEGUN_IN_TURN)) {
      this.#begunInTurn++;
      work();
    }
    if (this.#begunInTurn > 0) this.#arm();
  }

  #displaceOldest(entries: ReadonlySet<Entry>): void {
    for (const oldest of entries) {
      this.#remove(oldest);
      oldest.giveWay();
      return;
    }
  }

  #remove(entry: Entry): void {
    if (!this.#all.delete(entry)) return;
    const same = this.#bySource.get(entry.source);
    same?.delete(entry);
    if (same?.size === 0) this.#bySource.delete(entry.source);
  }
}
