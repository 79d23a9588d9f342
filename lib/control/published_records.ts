import type { PublishConfig } from "../config/mod.ts";
import type { PublishedSet } from "../db/mod.ts";
import { DnsRestError, type SetDifference } from "../dns_rest/mod.ts";
import { describeError, type LogSink } from "../observe/mod.ts";
import { runInSlices } from "../slices/mod.ts";
import type { DnsChanges } from "./dns_changes.ts";
import { nameChange, placeKey, routeRecords } from "./route_records.ts";
import type { ServedState } from "./served_state.ts";

/** How often names are looked at that somebody else has; and all of them. */
const LOOK_MS = 60_000;
const LOOK_AT_ALL_MS = 600_000;
/** After a failure; twice as long each time. */
const FIRST_RETRY_MS = 1000;
const MAX_RETRY_MS = 10_000;
/** Names that are changed at once: three sets each, of the thousand that a name server takes. */
const MAX_NAMES = 100;
/** Names that a warning says. */
const MAX_SAID = 3;

/** What a {@link PublishedRecords} works with. */
export interface PublishedRecordsOptions {
  readonly changes: DnsChanges;
  readonly state: ServedState;
  readonly zones: readonly string[];
  /** Absent: what was made is removed. */
  readonly publish: PublishConfig | undefined;
  readonly log: LogSink;
}

/** What is to become of a name, and what has. */
interface Name {
  readonly key: string;
  readonly zone: string;
  readonly name: string;
  readonly wanted: readonly PublishedSet[];
  readonly ours: readonly PublishedSet[];
}

/**
 * Makes records of routes at the name server. The routes are the truth, and the table of what we have
 * made is its shadow: whatever happens to the two or to the way between, the next look finds what
 * differs. So a change of a route waits for nobody, and none is forgotten.
 */
export class PublishedRecords implements AsyncDisposable {
  readonly #options: PublishedRecordsOptions;
  readonly #watching: Disposable;
  /** Why names have not what their routes want. */
  readonly #held = new Map<string, string>();
  #running: Promise<void> = Promise.resolve();
  #isDue = false;
  #isStarted = false;
  #isClosed = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #failures = 0;
  #problem: string | undefined;
  #sawAllAt = -Infinity;

  constructor(options: PublishedRecordsOptions) {
    this.#options = options;
    this.#watching = options.state.watch((differences) => {
      const isAbout = differences?.some(({ kind }) => kind === "route" || kind === "listener");
      if (isAbout ?? true) void this.follow();
    });
  }

  /** Begins, with a look at everything that the routes want and that was made. */
  start(): void {
    this.#isStarted = true;
    void this.follow();
  }

  /** Brings the name server in step with the routes as they are now. Never fails. */
  follow(): Promise<void> {
    if (!this.#isStarted || this.#isClosed) return this.#running;
    if (this.#isDue) return this.#running;
    this.#isDue = true;
    this.#running = this.#running.then(async () => {
      this.#isDue = false;
      await this.#look();
    });
    return this.#running;
  }

  /** What differs from what routes want; one sentence each. */
  get warnings(): readonly string[] {
    const said = [...this.#held].slice(0, MAX_SAID).map(([, reason]) => reason);
    const more = this.#held.size - said.length;
    return [
      ...this.#problem === undefined
        ? []
        : [`records of routes wait for the name server: ${this.#problem}`],
      ...said,
      ...more > 0 ? [`${more} more names have not the records that their routes want`] : [],
    ];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    this.#watching[Symbol.dispose]();
    clearTimeout(this.#timer);
    await this.#running;
  }

  async #look(): Promise<void> {
    clearTimeout(this.#timer);
    if (this.#isClosed) return;
    const isOfAll = performance.now() - this.#sawAllAt >= LOOK_AT_ALL_MS;
    let wait = LOOK_MS;
    try {
      for (const names of chunksOf(await this.#names(isOfAll))) await this.#bring(names);
      if (isOfAll) this.#sawAllAt = performance.now();
      this.#failures = 0;
      this.#problem = undefined;
    } catch (error) {
      if (this.#isClosed) return;
      wait = Math.min(FIRST_RETRY_MS * 2 ** this.#failures++, MAX_RETRY_MS);
      this.#problem = describeError(error);
      const level = this.#failures === 1 ? "warn" : "debug";
      const message = "the name server could not be told of routes";
      this.#options.log({ level, message, fields: { error: this.#problem } });
    }
    if (!this.#isClosed) this.#timer = setTimeout(() => void this.follow(), wait);
  }

  /** Those that are not as they should be, as far as we know; or all of them. */
  async #names(isOfAll: boolean): Promise<Name[]> {
    const { state, zones, publish } = this.#options;
    const wanted = publish === undefined
      ? new Map<string, PublishedSet[]>()
      : await runInSlices(routeRecords(state.snapshot.listeners, {
        ...{ zones, addresses: publish.addresses },
        ttl: Math.trunc(publish.ttlMs / 1000),
      }));
    const ours = Map.groupBy(state.database.published.list(), placeKey);
    const names: Name[] = [];
    for (const key of new Set([...wanted.keys(), ...ours.keys()])) {
      const of = { wanted: wanted.get(key) ?? [], ours: ours.get(key) ?? [] };
      const [{ zone, name } = { zone: "", name: "" }] = [...of.wanted, ...of.ours];
      if (isOfAll || !isSame(of.wanted, of.ours)) names.push({ key, zone, name, ...of });
    }
    for (const key of this.#held.keys()) if (!wanted.has(key)) this.#held.delete(key);
    return names;
  }

  /** Of one zone. What the name server does not take is found, and the others go on. */
  async #bring(names: readonly Name[]): Promise<void> {
    try {
      await this.#options.changes.alone(() => this.#make(names));
    } catch (error) {
      const status = error instanceof DnsRestError ? error.status : undefined;
      if (status === 400 && names.length > 1) {
        const half = Math.ceil(names.length / 2);
        await this.#bring(names.slice(0, half));
        return await this.#bring(names.slice(half));
      }
      // Nothing of the zone may be changed, or not this name.
      if (status !== 400 && status !== 403 && status !== 404 && status !== 409) throw error;
      for (const { key, name } of names) this.#hold(key, `${name}: ${describeError(error)}`);
    }
  }

  async #make(names: readonly Name[]): Promise<void> {
    const { changes, state: { database }, log } = this.#options;
    // Whatever is decided, or kept for nothing, is first.
    if (changes.waiting().length > 0) await changes.settle();
    const asked = names.flatMap(({ wanted, ours }) => [
      ...wanted,
      ...ours.filter(({ type }) => wanted.every((set) => set.type !== type))
        .map((set) => ({ ...set, values: [] })),
    ]);
    const there = new Map(
      (await changes.look(asked)).map((it) => [`${it.name.toLowerCase()} ${it.type}`, it.before]),
    );
    // What is not among the differences is as it was asked for.
    const askedFor = new Map(asked.map((set) => [`${set.name} ${set.type}`, set]));
    const found = (key: string) => there.get(key) ?? askedFor.get(key) ?? { ttl: 0, values: [] };
    const made = names.map((it) => ({
      ...it,
      ...nameChange({ ...it, found: (type) => found(`${it.name} ${type}`) }),
    }));
    const note = () => {
      for (const it of made) if (!isSame(it.keep, it.ours)) database.published.replace(it, it.keep);
    };
    const sets = made.flatMap(({ write }) => write);
    if (sets.length > 0) {
      const before = (set: PublishedSet) => found(`${set.name} ${set.type}`);
      await changes.make(sets, { note, isStill: (found) => isAsSeen(found, { sets, before }) });
      log({ level: "info", message: "records follow routes", fields: { sets: sets.length } });
    } else if (made.some((it) => !isSame(it.keep, it.ours))) await changes.write(note);
    for (const { key, name, foreign } of made) {
      if (foreign.length === 0) this.#held.delete(key);
      else {
        this.#hold(
          key,
          `${name} ${foreign.join(", ")} was made by hand and is left alone, not what routes say`,
        );
      }
    }
  }

  #hold(key: string, reason: string): void {
    if (this.#held.get(key) === reason) return;
    this.#held.set(key, reason);
    const message = "records of a route are not made";
    this.#options.log({ level: "warn", message, fields: { reason } });
  }
}

/** Nobody has changed what we looked at. */
function isAsSeen(
  found: readonly SetDifference[],
  { sets, before }: {
    readonly sets: readonly PublishedSet[];
    readonly before: (set: PublishedSet) => Pick<PublishedSet, "ttl" | "values">;
  },
): boolean {
  const now = new Map(found.map((it) => [`${it.name.toLowerCase()} ${it.type}`, it.before]));
  return sets.every((set) => {
    const { ttl, values } = now.get(`${set.name} ${set.type}`) ?? set;
    const seen = before(set);
    return JSON.stringify([ttl, values]) === JSON.stringify([seen.ttl, seen.values]);
  });
}

/** Of one zone each. */
function chunksOf(names: readonly Name[]): Name[][] {
  return [...Map.groupBy(names, ({ zone }) => zone).values()].flatMap((own) =>
    Array.from({ length: Math.ceil(own.length / MAX_NAMES) }, (_, i) => {
      return own.slice(i * MAX_NAMES, (i + 1) * MAX_NAMES);
    })
  );
}

function isSame(a: readonly PublishedSet[], b: readonly PublishedSet[]): boolean {
  const text = (sets: readonly PublishedSet[]) =>
    JSON.stringify(
      sets.map(({ type, ttl, values }) => [type, ttl, values])
        .toSorted(([a], [b]) => `${a}` < `${b}` ? -1 : 1),
    );
  return text(a) === text(b);
}
