import type { Neighbour } from "../fleet/mod.ts";
import { SharedChecks, type ToldChecks } from "../health/mod.ts";
import type { BackendWatch } from "./backend_watch.ts";

/** What {@link GroupChecks} works with. */
export interface GroupChecksOptions {
  readonly watch: Pick<BackendWatch, "share" | "review" | "told" | "counts">;
  /** How this proxy is called. */
  readonly proxy: string;
  /** Addresses of listeners by what the group calls them. */
  readonly listenerNames: ReadonlyMap<string, string>;
  /** Called when others are to hear of something before their second is over. */
  readonly onFound: () => void;
}

/** Checks of backends that are made by some proxies of the group, for all of them. */
export class GroupChecks {
  readonly #watch: GroupChecksOptions["watch"];
  readonly #shared: SharedChecks;

  constructor({ watch, proxy, listenerNames, onFound }: GroupChecksOptions) {
    this.#watch = watch;
    this.#shared = new SharedChecks(proxy);
    const names = new Map(listenerNames.entries().map(([name, addr]) => [addr, name]));
    watch.share(this.#shared, { nameOf: (addr) => names.get(addr) ?? addr, onFound });
  }

  /** What the other proxies have found that are there: of nobody, this one checks all by itself. */
  hear(others: readonly Neighbour[]): void {
    const told = new Map<string, ToldChecks>();
    for (const { proxy, bulletin: { checks } } of others) {
      if (checks !== undefined) told.set(proxy, checks);
    }
    if (this.#shared.hear(told)) this.#watch.review();
  }

  /** What this one has found. */
  get told(): ToldChecks {
    return this.#watch.told;
  }
}
