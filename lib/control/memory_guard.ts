import { type LogSink, Pressure } from "../observe/mod.ts";

/** How often memory is looked at: a flood fills less than a tenth of a usual limit in that time. */
const LOOK_MS = 250;
/** New connections are refused from this share of the limit on, … */
const FIRST = 0.85;
/** … more and more of them, up to this share. */
const LAST = 0.95;

/** What a {@link MemoryGuard} looks at. */
export interface MemoryGuardOptions {
  /** Octets. */
  readonly limit: number;
  /** Resident memory of the process, octets. */
  readonly resident: () => number;
  readonly log: LogSink;
}

/**
 * Sheds load before memory is out: above a share of the limit, new connections are refused so that
 * those that are open do not suffer, whom the kernel would otherwise end all at once.
 */
export class MemoryGuard implements Disposable {
  /** What workers read. */
  readonly buffer = new SharedArrayBuffer(Pressure.BYTES);
  readonly #options: MemoryGuardOptions;
  readonly #pressure = new Pressure(this.buffer);
  readonly #timer: ReturnType<typeof setInterval>;
  #sheds = false;

  constructor(options: MemoryGuardOptions) {
    this.#options = options;
    this.look();
    this.#timer = setInterval(() => this.look(), LOOK_MS);
  }

  /** What there is to say of it while connections are refused. */
  get warning(): string | undefined {
    if (!this.#sheds) return undefined;
    const { limit } = this.#options;
    return `memory is short: over ${FIRST * 100} % of ${mebibytes(limit)} MiB, new connections ` +
      "are refused";
  }

  /** Looks now. */
  look(): void {
    const { limit, resident, log } = this.#options;
    const used = resident();
    this.#pressure.share = (used / limit - FIRST) / (LAST - FIRST);
    const sheds = this.#pressure.share > 0;
    if (sheds === this.#sheds) return;
    this.#sheds = sheds;
    log({
      level: sheds ? "warn" : "info",
      message: sheds ? "memory is short, new connections are refused" : "memory suffices again",
      fields: { usedMiB: mebibytes(used), limitMiB: mebibytes(limit) },
    });
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}

function mebibytes(octets: number): number {
  return Math.round(octets / 1024 / 1024);
}
