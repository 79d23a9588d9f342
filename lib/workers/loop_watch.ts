import { processCpuMs, threadCpuMs, type VitalSigns } from "./vital_signs.ts";

/**
 * Processor time that a thread may spend within one turn. The longest honest turn is the first
 * compilation of a large state, a few seconds of work; an endless loop spends this within half a
 * minute on an idle machine.
 */
const LOOP_CPU_MS = 30_000;
/**
 * Threads that we cannot ask (garbage collection, compilation, the runtime's own) work for those
 * that we can: so much for each millisecond that these have spent is not held against a silent one.
 * Measured: 0.24 under new l4 connections, 0.09 under TLS handshakes, 0.26 while 40,000 routes are
 * applied, nearly all of it the collector's; the runtime's threads for files and SQLite's copies
 * spend next to nothing.
 */
const HELPERS_SHARE = 0.5;

/** Where processor times come from, in milliseconds; tests use a fake. */
export interface CpuClock {
  /** Of all threads together. */
  readonly process: () => number;
  /** Of the thread that looks. */
  readonly thread: () => number;
  /** Of other threads that can be accounted for. */
  readonly others?: () => number;
}

const SYSTEM_CPU: CpuClock = { process: processCpuMs, thread: threadCpuMs };

/** What a {@link LoopWatch} remembers of one worker: how things stood when it turned last. */
interface LastTurn {
  turns: number;
  at: number;
  unexplainedMs: number;
  explainedMs: number;
}

/** How long a worker has not turned, and whether that is a loop. */
export interface Silence {
  readonly silentMs: number;
  readonly isLoop: boolean;
}

/**
 * Tells a worker that is late from one in an endless loop. A starved thread does not turn, and
 * spends no processor time either; a loop spends what it gets. A thread that does not turn cannot be
 * asked for its time, so what remains of the process's time is charged to it when all threads that
 * do turn are subtracted. The clock on the wall decides nothing: on a starved machine it runs away.
 */
export class LoopWatch {
  readonly #cpu: CpuClock;
  readonly #now: () => number;
  readonly #loopCpuMs: number;
  readonly #watched = new Map<VitalSigns, LastTurn>();
  /** What threads had spent that are not watched any more. */
  #goneCpuMs = 0;

  constructor(
    { cpu = SYSTEM_CPU, now = () => performance.now(), loopCpuMs = LOOP_CPU_MS }: {
      readonly cpu?: CpuClock;
      readonly now?: () => number;
      readonly loopCpuMs?: number | undefined;
    } = {},
  ) {
    this.#cpu = cpu;
    this.#now = now;
    this.#loopCpuMs = loopCpuMs;
  }

  /** Watches a worker from now on. */
  add(signs: VitalSigns): void {
    this.#watched.set(signs, { turns: signs.turns, at: this.#now(), ...this.#readCpu() });
  }

  /** Its thread has ended. */
  remove(signs: VitalSigns): void {
    if (this.#watched.delete(signs)) this.#goneCpuMs += signs.cpuMs;
  }

  /** Looks at every worker that is watched. */
  look(): ReadonlyMap<VitalSigns, Silence> {
    const now = this.#now();
    const cpu = this.#readCpu();
    for (const [signs, last] of this.#watched) {
      const { turns } = signs;
      if (turns !== last.turns) Object.assign(last, { turns, at: now, ...cpu });
    }
    const silent = [...this.#watched.values()].filter(({ at }) => at !== now).length;
    const result = new Map<VitalSigns, Silence>();
    for (const [signs, last] of this.#watched) {
      const unexplained = cpu.unexplainedMs - last.unexplainedMs;
      const explained = cpu.explainedMs - last.explainedMs;
      // Each of several silent threads may be the one that has spent it.
      const spentMs = (unexplained - HELPERS_SHARE * explained) / Math.max(1, silent);
      result.set(signs, { silentMs: now - last.at, isLoop: spentMs >= this.#loopCpuMs });
    }
    return result;
  }

  #readCpu(): Pick<LastTurn, "unexplainedMs" | "explainedMs"> {
    let explainedMs = this.#goneCpuMs + this.#cpu.thread() + (this.#cpu.others?.() ?? 0);
    for (const { cpuMs } of this.#watched.keys()) explainedMs += cpuMs;
    return { unexplainedMs: this.#cpu.process() - explainedMs, explainedMs };
  }
}
