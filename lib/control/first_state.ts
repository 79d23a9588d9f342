import { type Config, wholeStateOf } from "../config/mod.ts";
import { type Database, openMemoryDatabase, whenFree } from "../db/mod.ts";
import type { LogSink } from "../observe/mod.ts";
import { auditEntry } from "./difference.ts";
import { planOfFile, writeRows } from "./file_plan.ts";
import type { Joined } from "./group_join.ts";
import { nameOfRule } from "./group_steps.ts";
import type { Operation } from "./operation.ts";
import { readRows, type StoredRows } from "./stored_rows.ts";

const OPERATION: Operation = { actor: "file", action: "Start", isOfFile: true };

/** The state that a start serves, and what has to be written once it does. */
export interface FirstState {
  readonly rows: StoredRows;
  /** Whether {@link storeFirstState} has something to write. */
  readonly isPending: boolean;
}

/**
 * What a start serves. A first start is compiled from what the configuration says, as a database of its
 * own, and one whose file is the truth from what the database is going to hold: what fails to start
 * has written nothing, and the mended file is read again. Rows have the ids that
 * {@link storeFirstState} gives them.
 *
 * @throws {DatabaseError}
 */
export async function firstState(
  database: Database,
  { config, joined, now }: {
    readonly config: Config;
    readonly joined?: Joined | undefined;
    readonly now: number;
  },
): Promise<FirstState> {
  if (joined === undefined && !database.isSeeded) {
    using seeded = openMemoryDatabase();
    seeded.seed(config);
    return { rows: readRows(seeded), isPending: true };
  }
  database.rules.normalise();
  database.policies.normalise();
  const { source } = config.state;
  const isPending = source === "file" || joined !== undefined ||
    database.settings.source !== source;
  const isItself = source === "database" || (source === "postgres" && joined === undefined);
  if (isItself) return { rows: database, isPending };
  const wanted = joined?.state ?? wholeStateOf(config);
  const plan = await planOfFile(database, { wanted, now, isDated: joined !== undefined });
  const isSame = plan.length === 0 && database.settings.rateLimit !== undefined;
  return {
    rows: isSame ? database : preview(database, { plan, rateLimit: wanted.rateLimit }),
    isPending,
  };
}

/** The rows as they would be. */
function preview(database: Database, planned: Parameters<typeof writeRows>[1]): StoredRows {
  const taken: { rows?: StoredRows } = {};
  try {
    database.transaction(() => {
      writeRows(database, planned);
      taken.rows = readRows(database);
      throw new TakenBack();
    });
  } catch (error) {
    if (!(error instanceof TakenBack)) throw error;
  }
  return taken.rows ?? readRows(database);
}

/** Ends a transaction whose only purpose was to look. */
class TakenBack extends Error {}

/** What {@link storeFirstState} is given. */
export interface FirstStateOptions {
  readonly config: Config;
  /** What the group has that this proxy joins. */
  readonly joined?: Joined | undefined;
  /** The configuration; absent: the flags of a command. */
  readonly file?: string | undefined;
  /** Where to the database is copied before a file replaces what it holds. */
  readonly copyTo?: (() => string) | undefined;
  readonly now: () => number;
  readonly log: LogSink;
}

/**
 * Writes what a start has compiled, now that it serves: the seed of a database that has never been
 * written, or what the file says where that is the truth.
 *
 * @throws {DatabaseError}
 */
export async function storeFirstState(
  database: Database,
  options: FirstStateOptions,
): Promise<void> {
  const { config, file, copyTo, now, log, joined } = options;
  const { source } = config.state;
  if (joined !== undefined) return await storeJoined(database, joined, options);
  if (source === "postgres") return;
  if (
    await written(database, () => {
      if (!database.seed(config)) return false;
      if (source === "file") {
        database.settings.setSource(source);
        database.settings.setRateLimit(wholeStateOf(config).rateLimit);
      }
      return true;
    })
  ) {
    return log({ level: "info", message: "database seeded from the configuration" });
  }
  const before = database.settings.source;
  if (source === "database") {
    if (before === source) return;
    await written(database, () => noteSwitch(database, { before, source, time: now() }));
    const message = before === "file"
      ? "the database is the truth again, and holds what the file said last"
      : "the database is the truth again, and holds what the group said last";
    return log({ level: "info", message });
  }
  const wanted = wholeStateOf(config);
  const plan = await planOfFile(database, { wanted, now: now() });
  if (before !== source && plan.length > 0 && copyTo !== undefined) {
    const copy = copyTo();
    await database.snapshot(copy);
    const message = "database copied before the file replaces what it holds";
    log({ level: "info", message, fields: { copy, differences: plan.length } });
  }
  const hasChanged = plan.length > 0 || before !== source ||
    database.settings.rateLimit === undefined;
  if (!hasChanged) return;
  await written(database, () => {
    writeRows(database, { plan, rateLimit: wanted.rateLimit });
    const time = now();
    for (const difference of plan) {
      database.audit.add(auditEntry(difference, { ...OPERATION, time }));
    }
    return before === source || noteSwitch(database, { before, source, time });
  });
  const fields = { file, differences: plan.length, revision: database.revision };
  log({ level: "info", message: "the configuration file was applied", fields });
}

/** Writes what the group has that this proxy joins, over what its database held. */
async function storeJoined(
  database: Database,
  { state, position }: Joined,
  { copyTo, now, log }: FirstStateOptions,
): Promise<void> {
  const { settings } = database;
  const before = settings.source;
  const plan = await planOfFile(database, { wanted: state, now: now(), isDated: true });
  if (database.isSeeded && plan.length > 0 && copyTo !== undefined) {
    const copy = copyTo();
    await database.snapshot(copy);
    const message = "database copied before the group's state replaces what it holds";
    log({ level: "info", message, fields: { copy, differences: plan.length } });
  }
  const wanted = new Set(state.rules.map(nameOfRule));
  await written(database, () => {
    writeRows(database, { plan, rateLimit: state.rateLimit });
    const time = now();
    noteSwitch(database, { before, source: "postgres", time });
    settings.setReplica(position);
    // Blocks that end on their own have stayed: the group is to hear of them.
    for (const rule of database.rules.list()) {
      if (!wanted.has(nameOfRule(rule))) settings.addUnsent(nameOfRule(rule));
    }
    return true;
  });
  const fields = { revision: position.revision, differences: plan.length };
  log({ level: "info", message: "the group was joined", fields });
}

type Source = Config["state"]["source"];

function noteSwitch(
  database: Database,
  { before, source, time }: {
    readonly before: Source;
    readonly source: Source;
    readonly time: number;
  },
): true {
  const subject = "state.source";
  const said = { before: JSON.stringify(before), after: JSON.stringify(source) };
  const actor = source === "file" ? OPERATION.actor : "mc-proxy";
  database.audit.add({ time, actor, action: OPERATION.action, subject, ...said });
  database.settings.setSource(source);
  database.settings.clearReplica();
  // The file's, which is read at each start, is not one that was set at run time.
  if (source === "database" && before === "file") database.settings.clearRateLimit();
  return true;
}

/** Whether `body` has written something: in one transaction, and brought to the database's file. */
async function written(database: Database, body: () => boolean): Promise<boolean> {
  const until = performance.now() + database.busyTimeoutMs;
  if (!await whenFree(() => database.transaction(body), { until })) return false;
  await database.reachDisk();
  // What a start writes is not to hang on one page of a log.
  await database.safekeeping?.checkpointAtStart();
  await database.safekeeping?.acknowledgeMeanwhile();
  return true;
}
