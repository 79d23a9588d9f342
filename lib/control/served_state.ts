import type { Database } from "../db/mod.ts";
import { DurableWrites } from "../durable/mod.ts";
import type { LogSink } from "../observe/mod.ts";
import type { ListenerSnapshot, Plane, Snapshot } from "../plane/mod.ts";
import { missing, MutationQueue, RefusedError } from "../queue/mod.ts";
import type { Steps } from "../slices/mod.ts";
import { type Route, type RouteTable } from "../routes/mod.ts";
import { withCells, withCertificates } from "./ahead_of_routes.ts";
import type { BackendBoard } from "./backend_board.ts";
import { ChangeSet, type Compiled } from "./change_set.ts";
import { auditEntry, type Difference } from "./difference.ts";
import { checkListenerAddr, unknownListener } from "./names.ts";
import { type GroupLog, noteFollowed } from "./group_log.ts";
import { type Followed, MutationError, type Operation } from "./operation.ts";
import { refuseOtherRevision, StaleError } from "./revision.ts";
import { refuseWhatIsTheFiles } from "./state_source.ts";
import { resyncSnapshot } from "./resync.ts";
import { type ErrorPageFiles, withPages } from "./error_page_files.ts";
import type { RouteMaterials } from "./route_materials.ts";
import { ServedPlane } from "./served_plane.ts";
import { STATE_LIMITS, type StateLimits } from "./state_limits.ts";
import { UnstoredState } from "./unstored_state.ts";

/** Who is told of each change; see {@link ServedState.watch}. */
export type ChangeWatcher = (
  differences: readonly Difference[] | undefined,
  revision: number,
) => void;

/** What a {@link ServedState} is made of. */
export interface ServedStateOptions {
  readonly database: Database;
  readonly plane: Plane;
  /** What the plane serves. */
  readonly snapshot: Snapshot;
  readonly log: LogSink;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** What TLS of routes is made of. */
  readonly materials: RouteMaterials;
  /** What error pages are made of that are files; absent: none is. */
  readonly pages?: ErrorPageFiles;
  /** What all threads know of backends. */
  readonly board: BackendBoard;
  /** Compiles what differences have noted; tests make it fail. */
  readonly compile?: (changeSet: ChangeSet) => Steps<Compiled>;
  /** Default: {@link STATE_LIMITS}. */
  readonly limits?: StateLimits;
  /** The database could not be written for want of room or of rights. */
  readonly onWriteFailed?: () => void;
  /** The file that is the truth; absent: the database is. */
  readonly file?: string;
  /** Addresses of listeners that have a name in the group. */
  readonly listenerNames?: ReadonlyMap<string, string>;
  /** The group whose log is the truth; absent: there is none. */
  readonly group?: GroupLog;
}

/**
 * The state that is served, and the one way to change it: rows and audit entries in one
 * transaction, compiled before it commits, then applied by every worker that is on time. What fails
 * on the way leaves the database, the data plane and this object as they were.
 */
export class ServedState {
  readonly database: Database;
  readonly plane: Plane;
  /** What is served and no database holds. */
  readonly unstored: UnstoredState;
  readonly #queue = new MutationQueue();
  readonly #writes: DurableWrites;
  readonly #options: ServedStateOptions;
  readonly #served: ServedPlane;
  readonly #watchers = new Set<ChangeWatcher>();
  #heldRevision: number | undefined;

  constructor(options: ServedStateOptions) {
    this.#options = options;
    this.database = options.database;
    this.#writes = new DurableWrites(this.#queue, options);
    this.plane = options.plane;
    const served = new ServedPlane({ ...options, writes: this.#writes });
    this.#served = served;
    const { materials, pages } = options;
    this.unstored = new UnstoredState({ served, materials, pages });
  }

  /** What the plane serves now. */
  get snapshot(): Snapshot {
    return this.#served.snapshot;
  }

  /** Why database and data plane may differ; empty while they agree. */
  get problem(): string {
    return this.#writes.problem;
  }

  /** Of what is in effect; the group's, where there is one. */
  get revision(): number {
    return this.#heldRevision ?? this.database.revision;
  }

  /**
   * Refuses a change that was made for another revision than this.
   *
   * @throws {RefusedError} `aborted`
   * @throws {StaleError} if it is one that the group may have by now. Only within {@link exclusive}.
   */
  refuseOtherRevision(wanted: number | undefined): void {
    const isAhead = wanted !== undefined && wanted > this.revision;
    if (isAhead && this.#options.group !== undefined) throw new StaleError(wanted);
    refuseOtherRevision(this.revision, wanted);
  }

  /** Whether a group's log says what it is. */
  get isOfGroup(): boolean {
    return this.#options.group !== undefined;
  }

  /** How much it may hold. */
  get limits(): StateLimits {
    return this.#options.limits ?? STATE_LIMITS;
  }

  /** Looks routes of a listener up. */
  table(listenerId: number): RouteTable | undefined {
    return this.#served.tables.get(listenerId);
  }

  /**
   * The listener of an address, in any spelling, or of its name in the group; `field` names it in messages.
   *
   * @throws {RefusedError}
   */
  listener(field: string, text: string): ListenerSnapshot {
    const addr = this.#options.listenerNames?.get(text) ?? checkListenerAddr(field, text);
    const found = this.snapshot.listeners.find((listener) => listener.addr === addr);
    if (found === undefined) throw unknownListener(addr, this.snapshot.listeners);
    return found;
  }

  /**
   * The route of exactly this hostname.
   *
   * @throws {RefusedError}
   */
  route({ id, addr }: ListenerSnapshot, hostname: string): Route {
    const route = this.table(id)?.get(hostname);
    if (route === undefined) throw missing(`the route ${addr} ${hostname}`);
    return route;
  }

  /** Runs `body` alone: between its look at the state and its {@link commit} nobody changes it. */
  exclusive<T>(body: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const { group } = this.#options;
    if (group === undefined) return this.#queue.run(body, signal);
    const anew = () => {
      this.#queue.beginAnew();
      return body();
    };
    return this.#queue.run(() => group.settle(anew), signal);
  }

  /** Takes no more changes; resolves when those that were asked for are made or refused. */
  close(): Promise<void> {
    return this.#queue.close();
  }

  /**
   * Makes differences true, all of them or none. Only within {@link exclusive}.
   *
   * @throws {RefusedError} if a difference does not fit the state, or is for a file to say.
   * @throws {DatabaseError} if the database refuses a row.
   * @throws {MutationError} if compiling, committing or the data plane fails.
   */
  async commit(differences: readonly Difference[], operation: Operation): Promise<void> {
    this.refuseOtherRevision(operation.ifRevision);
    refuseWhatIsTheFiles(differences, operation, this.#options.file);
    const followed = operation.followed ?? await this.#append(differences, operation);
    if (differences.length === 0 && followed === undefined) {
      return operation.onRevision?.(this.revision);
    }
    try {
      await this.#make(differences, { ...operation, ...followed && { followed } });
    } catch (error) {
      const { position } = followed ?? {};
      if (operation.followed !== undefined || position === undefined) throw error;
      throw new RefusedError(
        "unavailable",
        `the group has the change, as its revision ${position.revision}, but it is not in effect ` +
          "here yet: `mcproxyctl status` says why",
        { cause: error },
      );
    }
  }

  /** Has the group's log say it first, once it is sure that it can be made here. */
  async #append(
    differences: readonly Difference[],
    operation: Operation,
  ): Promise<Followed | undefined> {
    const { group } = this.#options;
    if (group === undefined || operation.isLocal || differences.length === 0) return undefined;
    await this.#writes.rehearse(
      () => this.#write(differences, operation),
      differences.length,
      operation,
    );
    return await group.append(differences, operation);
  }

  /** The database is ahead while what it holds is on its way into effect. */
  async #make(differences: readonly Difference[], operation: Operation): Promise<void> {
    this.#heldRevision = this.database.revision;
    try {
      await this.#makeHeld(differences, operation);
    } finally {
      this.#heldRevision = undefined;
    }
    operation.onRevision?.(this.revision);
    const ours = differences.filter(({ kind }) => kind !== "dns_set");
    for (const watcher of this.#watchers) watcher(ours, this.revision);
  }

  async #makeHeld(differences: readonly Difference[], operation: Operation): Promise<void> {
    const { result: compiled, undo } = await this.#writes.store(
      () => this.#write(differences, operation),
      differences.length,
      operation,
    );
    const { board, materials, pages } = this.#options;
    const cells = board.prepare(compiled.routes);
    const filed = await withPages(await withCertificates(compiled, materials), pages);
    const { changes, snapshot, routes } = withCells(filed, board, cells);
    if (changes.length > 0) await this.#served.apply(changes, snapshot, operation, undo);
    await this.#writes.acknowledge();
    const before = (listener: number, hostname: string) => this.table(listener)?.get(hostname);
    board.follow(routes, snapshot.listeners, { ...cells, before });
    await this.#served.follow(routes, snapshot.listeners);
  }

  /**
   * Calls `watcher` with the differences that each change has made true, or with nothing when they are
   * not known, and the revision that it led to, until what it returns is disposed of.
   */
  watch(watcher: ChangeWatcher): Disposable {
    this.#watchers.add(watcher);
    return { [Symbol.dispose]: () => this.#watchers.delete(watcher) };
  }

  /**
   * Serves what the database holds now, after another process was allowed to write it. Only within
   * {@link exclusive}.
   */
  async resync(operation: Operation): Promise<void> {
    const { database, materials, pages, board } = this.#options;
    const found = await resyncSnapshot(this.snapshot, { database, materials, pages });
    board.replace(found.listeners);
    const snapshot = { ...found, backends: board.cells };
    await this.#served.apply([{ kind: "snapshot", snapshot }], snapshot, operation);
    this.#served.followAll(snapshot.listeners);
    for (const watcher of this.#watchers) watcher(undefined, this.revision);
  }

  /** In the transaction: rows, audit entries, and the snapshot that they lead to. */
  *#write(
    differences: readonly Difference[],
    { actor, action, followed }: Operation,
  ): Steps<Compiled> {
    const { database, now, compile = (changeSet: ChangeSet) => changeSet.compile() } =
      this.#options;
    const changeSet = new ChangeSet({
      database,
      snapshot: this.snapshot,
      listeners: this.snapshot.listeners,
      tables: this.#served.tables,
    });
    const time = now();
    for (const difference of differences) {
      difference.write(changeSet);
      if (followed?.audit === undefined) {
        database.audit.add(auditEntry(difference, { actor, action, time }));
      }
      yield;
    }
    noteFollowed(database, followed);
    try {
      return yield* compile(changeSet);
    } catch (cause) {
      throw new MutationError("compile", action, cause);
    }
  }
}
