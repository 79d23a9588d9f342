import { type BalancedRoute, Balancer, type BalancerHost } from "./balancer.ts";
import { BackendCell } from "./cell.ts";
import { cellKey, type CellName } from "./cell_name.ts";
import { BALANCE_LIMITS, type BalanceLimits } from "./limits.ts";

/** The shared memory of one backend of one route, or of one path of it. */
export interface SharedCell extends CellName {
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

/** The balancers of one thread, by their routes and paths. */
export class Balancers implements Disposable {
  readonly #host: Omit<BalancerHost, "cell">;
  readonly #limits: BalanceLimits;
  readonly #balancers = new Map<number | string, Entry>();
  readonly #cells = new Map<string, BackendCell>();
  #stop: (() => void) | undefined;

  constructor(host: Omit<BalancerHost, "cell">, limits: BalanceLimits = BALANCE_LIMITS) {
    this.#host = host;
    this.#limits = limits;
  }

  /** Shared memory that comes, and that no route uses any more. */
  setCells(set: readonly SharedCell[], remove: readonly CellName[]): void {
    for (const name of remove) this.#cells.delete(cellKey(name));
    for (const cell of set) {
      const key = cellKey(cell);
      if (this.#cells.get(key)?.buffer === cell.buffer) continue;
      this.#cells.set(key, new BackendCell(cell.buffer, this.#limits));
    }
  }

  /** The balancer of a route, or of a path of it, which says `route` from now on. */
  of(route: BalancedRoute): Balancer {
    const usedAt = this.#host.now();
    const key = keyOf(route);
    const known = this.#balancers.get(key);
    if (known !== undefined) {
      known.usedAt = usedAt;
      known.balancer.update(route);
      return known.balancer;
    }
    const { worker, now, wallNow, random, after } = this.#host;
    const { id, pathName: path } = route;
    const cell: BalancerHost["cell"] = (addr) => this.#cell({ route: id, path, addr });
    const host = { worker, now, wallNow, random, after, cell };
    const balancer = new Balancer(route, host, this.#limits);
    this.#balancers.set(key, { balancer, usedAt });
    this.#tickLater();
    return balancer;
  }

  /** Routes have changed, or paths of theirs: those who wait for a place are to hear of it. */
  changed(routes: Iterable<Changed>): void {
    if (this.#balancers.size === 0) return;
    for (const route of routes) {
      if (route.backends === undefined) continue;
      this.#balancers.get(keyOf(route))?.balancer.update(route as BalancedRoute);
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
    for (const [key, { balancer, usedAt }] of this.#balancers) {
      balancer.tick();
      if (balancer.open > 0 || balancer.waiting > 0 || now - usedAt < IDLE_MS) continue;
      this.#balancers.delete(key);
    }
  }

  /** Without shared memory, as in tests of a plane alone, a thread keeps the counts to itself. */
  #cell(name: CellName): BackendCell {
    const key = cellKey(name);
    let cell = this.#cells.get(key);
    if (cell === undefined) {
      cell = new BackendCell(BackendCell.create(this.#host.wallNow()), this.#limits);
      this.#cells.set(key, cell);
    }
    return cell;
  }
}

/** A route that has several backends, or not. */
type Changed = Pick<BalancedRoute, "id" | "pathName"> & { readonly backends?: unknown };

/** Routes are asked for with each connection: theirs costs no text. */
function keyOf({ id, pathName }: Pick<BalancedRoute, "id" | "pathName">): number | string {
  return pathName === undefined ? id : `${id} ${pathName}`;
}
