/**
 * A balancer without a clock: time, chance and timers are the test's.
 *
 * @module
 */
import {
  BackendCell,
  BALANCE_LIMITS,
  type BalancedBackend,
  type BalancedRoute,
  type BalanceLimits,
  Balancer,
  Balancers,
  type NoPlace,
  type Place,
} from "../../lib/balance/mod.ts";

/** When tests begin, in milliseconds since 1970. */
const BEGIN = Date.UTC(2026, 10, 27);

/** Time that several threads share, and what they know of backends. */
export class BalanceWorld {
  nowMs = BEGIN;
  readonly limits: BalanceLimits;
  readonly #buffers = new Map<string, SharedArrayBuffer>();
  readonly #timers = new Set<{ readonly at: number; readonly fn: () => void }>();

  constructor(limits: Partial<BalanceLimits> = {}) {
    this.limits = { ...BALANCE_LIMITS, ...limits };
  }

  cell(addr: string): BackendCell {
    let buffer = this.#buffers.get(addr);
    if (buffer === undefined) {
      this.#buffers.set(addr, buffer = BackendCell.create(this.nowMs));
    }
    return new BackendCell(buffer, this.limits);
  }

  /** The balancer of one thread; `random` gives these numbers in turn. */
  balancer(
    route: BalancedRoute,
    { worker = 0, random = [0] }: { worker?: number; random?: readonly number[] } = {},
  ): Balancer {
    let asked = 0;
    return new Balancer(route, {
      worker,
      now: () => this.nowMs - BEGIN,
      wallNow: () => this.nowMs,
      random: () => random[asked++ % random.length] as number,
      after: (ms, fn) => {
        const timer = { at: this.nowMs + ms, fn };
        this.#timers.add(timer);
        return () => this.#timers.delete(timer);
      },
      cell: (addr) => this.cell(addr),
    }, this.limits);
  }

  /** Lets time pass, and timers go off in it. */
  pass(ms: number): void {
    const end = this.nowMs + ms;
    for (;;) {
      const [next] = [...this.#timers].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at);
      if (next === undefined) break;
      this.#timers.delete(next);
      this.nowMs = Math.max(this.nowMs, next.at);
      next.fn();
    }
    this.nowMs = end;
  }

  get timers(): number {
    return this.#timers.size;
  }
}

/** A backend that is up and has nothing special, but for `more`. */
export function backend(addr: string, more: Partial<BalancedBackend> = {}): BalancedBackend {
  return { addr, weight: 1, backup: false, state: "up", ...more };
}

/** Balancers of a thread whose time stands still. */
export function aloneBalancers(): Balancers {
  return new Balancers({
    worker: 0,
    now: () => 0,
    wallNow: () => BEGIN,
    random: () => 0,
    after: () => () => {},
  });
}

/** A route with these backends. */
export function balanced(
  backends: readonly (string | BalancedBackend)[],
  more: Partial<BalancedRoute> = {},
): BalancedRoute {
  return {
    id: 1,
    backends: backends.map((it) => typeof it === "string" ? backend(it) : it),
    ...more,
  };
}

/** What is asked for. */
interface Asking {
  readonly source?: string;
  readonly tried?: readonly string[];
  readonly only?: string;
}

/** Asks once; a place stays taken. */
export function ask(
  balancer: Balancer,
  { source = "", tried = [], only }: Asking = {},
): Place | NoPlace | "waits" {
  let found: Place | NoPlace | "waits" = "waits";
  balancer.acquire({ source, tried: new Set(tried), only }, (place) => found = place);
  return found;
}

/** Asks once, gives the place back, and says where it was. */
export function visit(
  balancer: Balancer,
  request: Asking = {},
): string {
  const found = ask(balancer, request);
  if (typeof found === "string") return found;
  found.release();
  return found.addr;
}
