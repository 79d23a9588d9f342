import { type HitterAnswer, type HitterQuestion, HitterWindows } from "../hitters/mod.ts";
import { type Database, DatabaseError, type StoredRule } from "../db/mod.ts";
import { describeError, type LogSink } from "../observe/mod.ts";
import type { BackendCount, Plane, RouteCount } from "../plane/mod.ts";

/** How often workers are asked; what a worker counts between is lost if it dies. */
const TAKE_INTERVAL_MS = 2000;
/** How often hits are written; what is counted between is lost if the process dies. */
const STORE_INTERVAL_MS = 30_000;
/** Routes that are gone are forgotten when there are this many more than routes with traffic. */
const MAX_ROUTES = 200_000;

/** Backends that are told apart; those of the connector come from a database, and are any number. */
const MAX_BACKENDS = 10_000;
/** Stands for those beyond that many. */
const OTHER = "(other)";

/** What a route carried since the start, and how many connections it carries now. */
export interface RouteStatus extends RouteCount {
  readonly active: number;
}

/** Hits of rules and traffic of routes over all workers and their predecessors. */
export class RunningTotals {
  readonly #plane: Plane;
  readonly #database: Database;
  readonly #log: LogSink;
  readonly #hits = new Map<number, number>();
  readonly #ended = new Map<string, RouteCount>();
  readonly #backends = new Map<string, BackendCount>();
  readonly #hitters = new HitterWindows();
  readonly #timers: ReturnType<typeof setInterval>[];
  #taking: Promise<void> | undefined;

  constructor(options: { plane: Plane; database: Database; log: LogSink }) {
    this.#plane = options.plane;
    this.#database = options.database;
    this.#log = options.log;
    this.#timers = [
      setInterval(() => void this.take(), TAKE_INTERVAL_MS),
      setInterval(() => this.store(), STORE_INTERVAL_MS),
    ];
  }

  /** Takes what the workers have counted; never fails. */
  take(): Promise<void> {
    this.#taking ??= this.#take().finally(() => this.#taking = undefined);
    return this.#taking;
  }

  /** A rule with the hits that are not in the database yet. */
  withHits(rule: StoredRule): StoredRule {
    return { ...rule, hits: rule.hits + (this.#hits.get(rule.id) ?? 0) };
  }

  /** Hits of all rules that are not in the database yet. */
  get unstoredHits(): number {
    return this.#hits.values().reduce((sum, count) => sum + count, 0);
  }

  /** What each route carried since the start, as it was taken last: two seconds ago at most. */
  get taken(): Iterable<RouteCount> {
    return this.#ended.values();
  }

  /** How each backend served since the start, as it was taken last. */
  get backends(): Iterable<BackendCount> {
    return this.#backends.values();
  }

  /** What each route carried since the start: ended connections and live ones. */
  async routes(): Promise<RouteStatus[]> {
    // Live ones first: one that ends in between counts twice for a moment, and not for never.
    const live = await this.#plane.liveTraffic();
    await this.take();
    const sums = new Map<string, RouteStatus>();
    for (const [key, counted] of this.#ended) sums.set(key, { ...counted, active: 0 });
    for (const counted of live) {
      const key = keyOf(counted);
      const before = sums.get(key);
      const active = (before?.active ?? 0) + counted.connections;
      sums.set(key, { ...add(before, counted), active });
    }
    return [...sums.values()];
  }

  /** The heaviest of one group in one of `HITTER_WINDOWS`. */
  async heaviest(question: HitterQuestion): Promise<HitterAnswer> {
    await this.take();
    return this.#hitters.top(question, performance.now());
  }

  /** How many clients make a share of what all do in a window, as far as it was taken. */
  heavyClients(share: number, question: Pick<HitterQuestion, "by" | "windowMs">): number {
    return this.#hitters.countAbove(share, question, performance.now());
  }

  /** Writes the hits; never fails: what cannot be written is kept for the next time. */
  store(): void {
    if (this.#hits.size === 0) return;
    try {
      // They are sums: a process that drains adds its own to those of the one that took over.
      const add = () => this.#database.rules.addHits(this.#hits);
      this.#database.transaction(add, { byAnyone: true });
      this.#hits.clear();
    } catch (error) {
      // Another process holds it for a moment: they can wait.
      if (error instanceof DatabaseError && error.code === "locked") return;
      const fields = { error: describeError(error) };
      this.#log({ level: "warn", message: "hits of firewall rules not stored", fields });
    }
  }

  /** Takes and stores a last time. */
  async close(): Promise<void> {
    this.#timers.forEach(clearInterval);
    await this.take();
    this.store();
  }

  async #take(): Promise<void> {
    const taken = await this.#plane.takeCounts().catch(() => []);
    for (const { ruleHits, routes, backends, hitters } of taken) {
      this.#hitters.add(hitters, performance.now());
      for (const [id, count] of ruleHits) this.#hits.set(id, (this.#hits.get(id) ?? 0) + count);
      for (const counted of routes) {
        const key = keyOf(counted);
        this.#ended.set(key, add(this.#ended.get(key), counted));
      }
      for (const counted of backends) this.#addBackend(counted);
    }
    if (this.#ended.size > MAX_ROUTES) this.#ended.clear();
  }

  #addBackend(counted: BackendCount): void {
    const { listener, route, outcome, count } = counted;
    const nameOf = (backend: string) => `${listener} ${route} ${backend} ${outcome}`;
    const isKnown = this.#backends.has(nameOf(counted.backend));
    const backend = isKnown || this.#backends.size < MAX_BACKENDS ? counted.backend : OTHER;
    const key = nameOf(backend);
    const before = this.#backends.get(key)?.count ?? 0;
    this.#backends.set(key, { ...counted, backend, count: before + count });
  }
}

function keyOf({ listener, route }: RouteCount): string {
  return `${listener} ${route}`;
}

function add(a: RouteCount | undefined, b: RouteCount): RouteCount {
  if (a === undefined) return b;
  return {
    ...b,
    connections: a.connections + b.connections,
    bytesIn: a.bytesIn + b.bytesIn,
    bytesOut: a.bytesOut + b.bytesOut,
  };
}
