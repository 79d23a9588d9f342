import { type BalancedRoute, Balancer, type BalancerHost } from "./balancer.ts";
import { BackendCell } from "./cell.ts";
import { BALANCE_LIMITS, type BalanceLimits } from "./limits.ts";

/** The shared memory of one backend of one route. */
export interface SharedCell {
  /** Of the route. */
  readonly route: number;
  readonly addr: string;
  readonly buffer: SharedArrayBuffer;
}

/** How often it is looked after answers and balancers that nobody uses. */
const TICK_MS = 1000;
/** A balancer without anything is forgotten after so long: it is made again in no time. */
const IDLE_MS = 60_000;

interface Entry {
  readonly balancer: Balancer;
  usedAt: number;
}

/** The balancers of one thread, by the ids of their routes. */
export class Balancers implements Disposable {
  readonly #host: Omit<BalancerHost, "cell">;
  readonly #limits: BalanceLimits;
  readonly #balancers = new Map<number, Entry>();
  readonly #cells = new Map<string, BackendCell>();
  #stop: (() => void) | undefined;

  constructor(host: Omit<BalancerHost, "cell">, limits: BalanceLimits = BALANCE_LIMITS) {
    this.#host = host;
    this.#limits = limits;
  }

  /** Shared memory that comes, and that no route uses any more. */
  setCells(set: readonly SharedCell[], remove: readonly Omit<SharedCell, "buffer">[]): void {
    for (const { route, addr } of remove) this.#cells.delete(`${route} ${addr}`);
    for (const { route, addr, buffer } of set) {
      const key = `${route} ${addr}`;
      if (this.#cells.get(key)?.buffer === buffer) continue;
      this.#cells.set(key, new BackendCell(buffer, this.#limits));
    }
  }

  /** The balancer of a route, which says `route` from now on. */
  of(route: BalancedRoute): Balancer {
    const usedAt = this.#host.now();
    const known = this.#balancers.get(route.id);
    if (known !== undefined) {
      known.usedAt = usedAt;
      known.balancer.update(route);
      return known.balancer;
    }
    const { worker, now, wallNow, random, after } = this.#host;
    const cell: BalancerHost["cell"] = (id, addr) => this.#cell(id, addr);
    const host = { worker, now, wallNow, random, after, cell };
    const balancer = new Balancer(route, host, this.#limits);
    this.#balancers.set(route.id, { balancer, usedAt });
    this.#tickLater();
    return balancer;
  }

  /** Routes have changed: those who wait for a place are to hear of it. */
  changed(routes: Iterable<{ readonly id: number; readonly backends?: unknown }>): void {
    if (this.#balancers.size === 0) return;
    for (const route of routes) {
      const { id, backends } = route;
      if (backends !== undefined) this.#balancers.get(id)?.balancer.update(route as BalancedRoute);
    }
  }

  /** Looks after nothing any more. */
  [Symbol.dispose](): void {
    this.#stop?.();
    this.#stop = undefined;
    this.#balancers.clear();
  }

  #tickLater(): void {
    this.#stop ??= this.#host.after(TICK_MS, () => {
      this.#stop = undefined;
      this.#tick();
      if (this.#balancers.size > 0) this.#tickLater();
    });
  }

  #tick(): void {
    const now = this.#host.now();
    for (const [id, { balancer, usedAt }] of this.#balancers) {
      balancer.tick();
      if (balancer.open > 0 || balancer.waiting > 0 || now - usedAt < IDLE_MS) continue;
      this.#balancers.delete(id);
    }
  }

  /** Without shared memory, as in tests of a plane alone, a thread keeps the counts to itself. */
  #cell(route: number, addr: string): BackendCell {
    const key = `${route} ${addr}`;
    let cell = this.#cells.get(key);
    if (cell === undefined) {
      cell = new BackendCell(BackendCell.create(this.#host.wallNow()), this.#limits);
      this.#cells.set(key, cell);
    }
    return cell;
  }
}
