import type { Bulletin, Exchanged, FleetLink, Neighbour, Report } from "../fleet/mod.ts";
import type { FleetStatus } from "./fleet_status.ts";

/** How often proxies tell each other how they are. */
const BEAT_MS = 1_000;
/** Who was not heard for so many beats does not count: it has missed two, and is late with the next. */
const LIVE_BEATS = 3;
/** Without an answer for so many beats, or after so many errors in a row, nobody is known to be there. */
const ALONE_BEATS = 3;
const ALONE_ERRORS = 2;
/** Others are not called more often than that, nor are their calls answered, whatever happens. */
const CALL_PAUSE_MS = 200;

/** What a {@link GroupBulletin} works with. */
export interface GroupBulletinOptions {
  readonly link: Pick<FleetLink, "exchange" | "callAttention" | "report">;
  /** What this proxy says of itself. */
  readonly report: () => Report;
  readonly bulletin: () => Bulletin;
  readonly status: () => FleetStatus;
  /** Told what came back, and of nothing when nothing has come for too long. */
  readonly onHeard: (exchanged: Exchanged | undefined) => void;
  /** Default: 1,000. */
  readonly beatMs?: number;
}

/**
 * The one way in which proxies of a group hear of each other: each second a statement says how this one
 * is and brings back what the others have said since. Revisions have their own way, the log.
 */
export class GroupBulletin implements AsyncDisposable {
  readonly #options: GroupBulletinOptions;
  readonly #beat: ReturnType<typeof setInterval>;
  readonly #beatMs: number;
  #known: ReadonlyMap<string, Neighbour> = new Map();
  #heardAt = performance.now();
  #calledAt = -Infinity;
  #isDue = false;
  #isUrgent = false;
  #isClosed = false;
  #isAlone = true;
  #errors = 0;
  #exchanging: Promise<void> | undefined;
  #calling: ReturnType<typeof setTimeout> | undefined;
  #answering: ReturnType<typeof setTimeout> | undefined;
  #askedAt = -Infinity;

  constructor(options: GroupBulletinOptions) {
    this.#options = options;
    const { beatMs = BEAT_MS } = options;
    this.#beatMs = beatMs;
    this.#beat = setInterval(() => {
      this.exchange();
      this.#noteSilence();
    }, beatMs);
    this.exchange();
  }

  /** Whether nobody is known to be there, because PostgreSQL does not answer. */
  get isAlone(): boolean {
    return this.#isAlone;
  }

  /** The other proxies that are there, by name. */
  get others(): readonly Neighbour[] {
    return this.#isAlone ? [] : this.#liveOf(this.#known.values());
  }

  /** Exchanges what there is to tell now, or once more if that is being done. */
  exchange(): void {
    this.#isDue = true;
    this.#exchanging ??= this.#exchange().finally(() => this.#exchanging = undefined);
  }

  /** Another proxy has something to tell: exchanges soon. */
  hearCall(): void {
    if (this.#answering !== undefined || this.#isClosed) return;
    const pause = this.#askedAt + CALL_PAUSE_MS - performance.now();
    this.#answering = setTimeout(() => {
      this.#answering = undefined;
      this.exchange();
    }, Math.max(0, pause));
  }

  /** The same, and has the others do so. */
  callAttention(): void {
    const pause = this.#calledAt + CALL_PAUSE_MS - performance.now();
    if (this.#calling !== undefined || this.#isClosed) return;
    this.#calling = setTimeout(() => {
      this.#calling = undefined;
      this.#calledAt = performance.now();
      this.#isUrgent = true;
      this.exchange();
    }, Math.max(0, pause));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#beat);
    clearTimeout(this.#calling);
    clearTimeout(this.#answering);
    await this.#exchanging;
  }

  async #exchange(): Promise<void> {
    const { link, report, bulletin, status, onHeard } = this.#options;
    while (this.#isDue && !this.#isClosed) {
      this.#isDue = false;
      const isUrgent = this.#isUrgent;
      this.#isUrgent = false;
      this.#askedAt = performance.now();
      const said = report();
      try {
        const exchanged = await link.exchange(said, {
          ...{ shared: JSON.stringify(bulletin()), status: JSON.stringify(status()) },
          known: this.#known,
        });
        // The tables are older: who it is goes in all the same.
        if (exchanged === undefined) {
          await link.report(said);
          continue;
        }
        this.#heardAt = performance.now();
        this.#errors = 0;
        this.#isAlone = false;
        this.#known = new Map(exchanged.others.map((other) => [other.proxy, other]));
        if (!this.#isClosed) onHeard({ ...exchanged, others: this.#liveOf(exchanged.others) });
        if (isUrgent) await link.callAttention();
      } catch {
        // What hinders it is what following the log meets too, and is said there.
        this.#errors++;
        this.#noteSilence();
      }
    }
  }

  #noteSilence(): void {
    if (this.#isAlone) return;
    const isSilent = performance.now() - this.#heardAt >= this.#beatMs * ALONE_BEATS;
    if (!isSilent && this.#errors < ALONE_ERRORS) return;
    this.#isAlone = true;
    this.#options.onHeard(undefined);
  }

  #liveOf(others: Iterable<Neighbour>): Neighbour[] {
    return [...others].filter(({ silentMs }) => silentMs <= this.#beatMs * LIVE_BEATS);
  }
}
