import {
  foldRequestBlock,
  OTHER_ROUTES,
  readRequestCounts,
  type RouteRequests,
} from "../observe/mod.ts";

/** Each worker tells that many routes apart; over all workers it may not be more either. */
const MAX_ROUTES = 1000;

/** The blocks of one route: those of workers that live, and one for those that are gone. */
interface Blocks {
  /**
   * By worker and route. The entry of {@link OTHER_ROUTES} has the blocks of many routes, each with
   * a writer of its own.
   */
  readonly live: Map<string, LiveBlock>;
  retired: SharedArrayBuffer | undefined;
}

interface LiveBlock {
  readonly worker: number;
  readonly block: SharedArrayBuffer;
}

/** The request counts of all workers, also of those that were replaced. */
export class RequestBlocks {
  readonly #routes = new Map<string, Blocks>();

  /** Takes the block that a worker has made; one it made before it was replaced is kept apart. */
  add(worker: number, route: string, block: SharedArrayBuffer): void {
    const blocks = this.#blocksOf(route);
    const key = `${worker} ${route}`;
    const previous = blocks.live.get(key);
    blocks.live.set(key, { worker, block });
    if (previous !== undefined) fold(blocks, previous.block);
  }

  /** Folds what a worker that is gone has counted: nobody writes to its blocks any more. */
  retire(worker: number): void {
    for (const blocks of this.#routes.values()) {
      for (const [key, live] of blocks.live) {
        if (live.worker !== worker) continue;
        blocks.live.delete(key);
        fold(blocks, live.block);
      }
    }
  }

  /** What was counted so far. */
  read(): ReadonlyMap<string, RouteRequests> {
    const result = new Map<string, RouteRequests>();
    for (const [route, { live, retired }] of this.#routes) {
      const blocks = [...live.values()].map(({ block }) => block);
      result.set(route, readRequestCounts([...blocks, ...retired ? [retired] : []]));
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

/** Its writer is gone, so this thread may write to it. */
function fold(blocks: Blocks, block: SharedArrayBuffer): void {
  if (blocks.retired === undefined) blocks.retired = block;
  else foldRequestBlock(blocks.retired, block);
}
