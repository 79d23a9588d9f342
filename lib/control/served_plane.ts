import type { DurableWrites } from "../durable/mod.ts";
import type { Change, ListenerSnapshot, Plane, Snapshot } from "../plane/mod.ts";
import type { RouteTable } from "../routes/mod.ts";
import { runInSlices } from "../slices/mod.ts";
import type { RoutePatch } from "./change_set.ts";
import { MutationError, type Operation } from "./operation.ts";
import { RouteTables } from "./route_tables.ts";

/** What a {@link ServedPlane} is made of. */
export interface ServedPlaneOptions {
  readonly plane: Plane;
  /** What the plane serves. */
  readonly snapshot: Snapshot;
  readonly writes: Pick<DurableWrites, "takeBack" | "noteSplit">;
}

/** The data plane and what it serves: every worker has a change, or the database is without it. */
export class ServedPlane {
  readonly plane: Plane;
  readonly #writes: ServedPlaneOptions["writes"];
  readonly #tables = new RouteTables();
  #snapshot: Snapshot;

  constructor({ plane, snapshot, writes }: ServedPlaneOptions) {
    this.plane = plane;
    this.#writes = writes;
    this.#snapshot = snapshot;
    this.#tables.replace(snapshot.listeners);
  }

  /** What the plane serves now. */
  get snapshot(): Snapshot {
    return this.#snapshot;
  }

  /** Routes by the id of their listener, for look-ups. */
  get tables(): ReadonlyMap<number, RouteTable> {
    return this.#tables.all;
  }

  /**
   * Has every worker that is on time serve a change, which leads to `snapshot`. The tables stay as they
   * are until {@link follow} or {@link followAll}.
   *
   * @param undo takes from the database what cannot be served.
   * @throws {MutationError} if a worker refuses it: all are back at what they served before.
   */
  async apply(
    changes: readonly Change[],
    snapshot: Snapshot,
    { action, onPending }: Operation,
    undo: () => void = () => {},
  ): Promise<void> {
    const before = this.#snapshot;
    try {
      const { pendingWorkers } = await this.plane.apply(changes, snapshot);
      this.#snapshot = snapshot;
      if (pendingWorkers.length > 0) onPending?.(pendingWorkers);
    } catch (cause) {
      await this.#goBack(before, undo, action);
      throw new MutationError("data_plane", action, cause);
    }
  }

  /** Has the tables know what has changed in routes. */
  async follow(
    routes: readonly RoutePatch[],
    listeners: readonly ListenerSnapshot[],
  ): Promise<void> {
    await runInSlices(this.#tables.patch(routes));
    this.#tables.keepOnly(listeners);
  }

  /** Makes the tables anew. */
  followAll(listeners: readonly ListenerSnapshot[]): void {
    this.#tables.replace(listeners);
  }

  /** Some workers may have applied the change that another one refused. */
  async #goBack(before: Snapshot, undo: () => void, action: string): Promise<void> {
    await this.#writes.takeBack(undo, action);
    try {
      await this.plane.apply([{ kind: "snapshot", snapshot: before }], before);
    } catch (error) {
      this.#writes.noteSplit(action, error);
    }
  }
}
