import {
  foldRequestBlock,
  OTHER_ROUTES,
  readRequestCounts,
  type RouteRequests,
} from "../observe/mod.ts";

/** Each worker tells that many routes apart; over all workers it may not be more either. */
const MAX_ROUTES = 1000;

/** The blocks of one route: one of each worker that lives, and one for those that are gone. */
interface Blocks {
  readonly live: Map<number, SharedArrayBuffer>;
  retired: SharedArrayBuffer | undefined;
}

/** The request counts of all workers, also of those that were replaced. */
export class RequestBlocks {
  readonly #routes = new Map<string, Blocks>();

  /** Takes the block that a worker has made; one it made before it was replaced is kept apart. */
  add(worker: number, route: string, block: SharedArrayBuffer): void {
    const { live, retired } = this.#blocksOf(route);
    const previous = live.get(worker);
    live.set(worker, block);
    if (previous === undefined) return;
    // Its writer is gone, so this thread may write to it.
    if (retired === undefined) this.#blocksOf(route).retired = previous;
    else foldRequestBlock(retired, previous);
  }

  /** What was counted so far. */
  read(): ReadonlyMap<string, RouteRequests> {
    const result = new Map<string, RouteRequests>();
    for (const [route, { live, retired }] of this.#routes) {
      result.set(route, readRequestCounts([...live.values(), ...retired ? [retired] : []]));
    }
    return result;
  }

  #blocksOf(route: string): Blocks {
    const name = this.#routes.has(route) || this.#routes.size < MAX_ROUTES ? route : OTHER_ROUTES;
    let blocks = this.#routes.get(name);
    if (blocks === undefined) {
      blocks = { live: new Map(), retired: undefined };
      this.#routes.set(name, blocks);
    }
    return blocks;
  }
}
