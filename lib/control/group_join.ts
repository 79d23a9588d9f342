import type { Config } from "../config/mod.ts";
import { type Database, openMemoryDatabase, type ReplicaPosition } from "../db/mod.ts";
import { type FleetLink, objectsOf, put, stateOf } from "../fleet/mod.ts";
import type { LogSink } from "../observe/mod.ts";
import type { State } from "../state/mod.ts";

/** What a proxy finds that joins a group. */
export interface Joined {
  readonly state: Required<State>;
  readonly position: ReplicaPosition;
}

/** What {@link joinGroup} works with. */
export interface JoinOptions {
  readonly link: FleetLink;
  readonly database: Database;
  readonly config: Config;
  readonly now: () => number;
  readonly log: LogSink;
}

/**
 * Joins the group, unless the database is a replica already, from which a start needs nobody. The first
 * proxy of a group brings what its database holds, or else what the configuration says.
 *
 * @throws {FleetLinkError}
 * @throws {UnknownObjectError}
 */
export async function joinGroup(options: JoinOptions): Promise<Joined | undefined> {
  const { link, database, config, now, log } = options;
  const { settings } = database;
  if (settings.source === "postgres" && settings.replica !== undefined) return undefined;
  await link.prepare();
  let snapshot = await link.snapshot();
  if (snapshot.head.revision === 0) {
    const { limit, windowMs } = {
      limit: config.firewall.rateLimit,
      windowMs: config.firewall.rateWindowMs,
      ...settings.rateLimit,
    };
    const edits = objectsOf({ ...firstStateOf(database, config), rateLimit: { limit, windowMs } })
      .map(put);
    const { status } = await link.append({
      ...{ id: crypto.randomUUID(), epoch: snapshot.head.epoch, after: 0, time: now(), edits },
      ...{ actor: "mc-proxy", action: "Seed", audit: [["group", "", ""]] },
    });
    snapshot = await link.snapshot(); // Of whoever was first.
    if (status === "done") log({ level: "info", message: "the group was given its first state" });
  }
  const { head: { group, epoch, revision }, entry, objects } = snapshot;
  return { state: stateOf(objects), position: { group, epoch, revision, entry } };
}

function firstStateOf(database: Database, config: Config): State {
  if (database.isSeeded) return database.state();
  using seeded = openMemoryDatabase();
  seeded.seed(config);
  return seeded.state();
}
