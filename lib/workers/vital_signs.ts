import process from "node:process";

/** Octets of shared memory behind one {@link VitalSigns}. */
export const VITAL_SIGNS_BYTES = 2 * Float64Array.BYTES_PER_ELEMENT;

const TURNS = 0;
const CPU_MS = 1;

/**
 * What a worker shows of itself in shared memory, where no queue delays it: how often its event loop
 * has turned, and how much processor time its thread had spent by then. The worker writes, the
 * control plane reads; aligned 64-bit stores are never seen half-written.
 */
export class VitalSigns {
  readonly #values: Float64Array;

  constructor(buffer: SharedArrayBuffer) {
    this.#values = new Float64Array(buffer);
  }

  /** How often the worker's event loop has shown that it turns; 0 before its code is loaded. */
  get turns(): number {
    return this.#read(TURNS);
  }

  /** Processor time of the worker's thread at its last turn, in milliseconds. */
  get cpuMs(): number {
    return this.#read(CPU_MS);
  }

  /** Whatever writes there: a number from 0 on. */
  #read(cell: number): number {
    const value = this.#values[cell] ?? 0;
    return value >= 0 && value < Infinity ? value : 0;
  }

  /** Called by the worker's own thread. */
  turn(): void {
    this.#values[CPU_MS] = threadCpuMs();
    this.#values[TURNS] = this.turns + 1;
  }
}

/** Processor time of this very thread, in milliseconds. */
export function threadCpuMs(): number {
  // In Node's documentation since 23.9; the types of Deno 2.9.6 do not know it yet.
  const { threadCpuUsage } = process as unknown as {
    threadCpuUsage(): { user: number; system: number };
  };
  const { user, system } = threadCpuUsage();
  return (user + system) / 1000;
}

/** Processor time of all threads of the process, in milliseconds. */
export function processCpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
