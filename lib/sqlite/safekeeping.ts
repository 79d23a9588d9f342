import { renameSync, rmSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { DatabaseError, toDatabaseError } from "./errors.ts";
import { FileWatch } from "./file_watch.ts";
import { checkDigest, type Identity, readIdentity } from "./identity.ts";
import { LogKeeper } from "./log_keeper.ts";
import type { Marker } from "./marker.ts";
import type { ProgramSchema } from "./program_schema.ts";
import { syncPath, writeSnapshot } from "./snapshot.ts";

/** The log is brought into the database when it is this large, in octets: SQLite's own 1,000 pages. */
const MAX_LOG_BYTES = 4 * 1024 * 1024;

/** What {@link Safekeeping} needs of its database. */
export interface Kept {
  readonly path: string;
  readonly marker: Marker;
  readonly schema: ProgramSchema;
  /** The connection that is open now. */
  readonly connection: () => DatabaseSync;
  /** Opens the path anew and takes that connection instead of the one before. */
  readonly reopen: () => void;
}

/**
 * Keeps what was acknowledged: remembers it in the marker, brings it from the log into the database,
 * watches that both are still the files that the path names, and writes them back if they are not.
 */
export class Safekeeping implements Disposable {
  readonly #kept: Kept;
  #watch: FileWatch;
  #problem: DatabaseError | undefined;
  #ownGeneration: number;
  #log: LogKeeper | undefined;

  constructor(kept: Kept) {
    this.#kept = kept;
    this.#watch = new FileWatch(kept.path);
    this.#ownGeneration = this.identity.generation;
  }

  /** Which database this is, and how far it has come. */
  get identity(): Identity {
    const identity = readIdentity(this.#kept.connection());
    if (identity === undefined) throw new DatabaseError("corrupt", "the identity is missing");
    return identity;
  }

  /**
   * Remembers that everything up to now was acknowledged.
   *
   * @throws {DatabaseError} if the marker cannot be written.
   */
  acknowledge(): void {
    const { marker } = this.#kept;
    try {
      marker.write(this.identity);
    } catch (error) {
      throw toDatabaseError(error, `cannot write the marker ${JSON.stringify(marker.path)}`);
    }
  }

  /**
   * {@link acknowledge} that leaves the thread to others while the disk works; one at a time.
   *
   * @throws {DatabaseError} if the marker cannot be written.
   */
  async acknowledgeMeanwhile(): Promise<void> {
    const { marker } = this.#kept;
    try {
      await marker.writeMeanwhile(this.identity);
    } catch (error) {
      throw toDatabaseError(error, `cannot write the marker ${JSON.stringify(marker.path)}`);
    }
  }

  /**
   * Looks whether the database is still the file that its path names.
   *
   * @throws {DatabaseError} `replaced` from the moment at which it is not.
   */
  check(): void {
    this.#problem ??= this.#look();
    if (this.#problem !== undefined) throw this.#problem;
  }

  /** Whether another process has changed the state since this one did. */
  get isBehind(): boolean {
    return this.identity.generation !== this.#ownGeneration;
  }

  /** Takes database and files as they are now, after another process was allowed to write them. */
  note(): void {
    this.#watch.note();
    this.#ownGeneration = this.identity.generation;
  }

  /** From now on the disk is waited for beside this thread: see {@link reachDisk}. */
  keepLog(): void {
    this.#log?.[Symbol.dispose]();
    this.#log = new LogKeeper(this.#kept.path, this.#kept.connection);
  }

  /** Whether writers have to wait for a moment, so as not to wait for the disk. */
  get isHeld(): boolean {
    return this.#log?.isHeld === true;
  }

  /** Resolves when everything that was committed is on the disk. */
  async reachDisk(): Promise<void> {
    await this.#log?.reachDisk();
  }

  /** Called after a commit: keeps the log short. */
  committed(): void {
    this.note();
    const log = statSync(`${this.#kept.path}-wal`, { throwIfNoEntry: false });
    if (log === undefined || log.size <= MAX_LOG_BYTES) return;
    if (this.#log === undefined) this.checkpoint();
    else void this.checkpointMeanwhile().catch(() => {}); // The keeper's next one says it.
  }

  /**
   * Brings the log into the database and empties it, as far as nobody reads in it: what is in the log
   * alone is lost with a single octet of it.
   */
  checkpoint(): void {
    // A change is being written, over several turns of the event loop; the next time.
    if (this.#kept.connection().isTransaction) return;
    this.check();
    this.#kept.connection().prepare("PRAGMA wal_checkpoint(TRUNCATE)").get();
    this.#watch.note();
  }

  /**
   * {@link checkpoint} that leaves the thread to others while the disk works, after
   * {@link keepLog}; resolves when it has ended.
   *
   * @throws {DatabaseError}
   */
  async checkpointMeanwhile(): Promise<void> {
    if (this.#log === undefined) return this.checkpoint();
    if (this.#kept.connection().isTransaction) return;
    this.check();
    try {
      await this.#log.empty();
    } catch (error) {
      throw toDatabaseError(error, "cannot empty the database's log");
    } finally {
      // Closed meanwhile: nobody looks any more.
      if (this.#kept.connection().isOpen) this.#watch.note();
    }
  }

  /**
   * {@link checkpoint} at a start, which waits for the disk anyway: a thread's connection could have
   * this one forget pages that it has read.
   */
  async checkpointAtStart(): Promise<void> {
    this.checkpoint();
    await this.#log?.begin();
    this.#watch.note();
  }

  [Symbol.dispose](): void {
    this.#log?.[Symbol.dispose]();
  }

  /**
   * Writes the database back to its path from what is open, with everything that was acknowledged. A
   * file that took its place is moved aside.
   *
   * @throws {DatabaseError} `damaged` if the content was overwritten under us: then a snapshot has it.
   */
  async writeBack(): Promise<{ size: number; aside: string | undefined }> {
    const { path, connection, reopen } = this.#kept;
    const time = new Date().toISOString().replace(/[-:]|\.\d+/g, "");
    // A name by which a start that fails would find it, should this process be killed half-way.
    const copy = `${path}.${time}.bak`;
    const { size } = await writeSnapshot(connection(), { from: path, to: copy, overwrite: true });
    try {
      checkCopy(copy, this.identity, this.#kept.schema);
    } catch (error) {
      rmSync(copy, { force: true });
      throw error;
    }
    const aside = moveAside(path, time);
    // Now, and not after the rename: closing removes the log by its name.
    connection().close();
    renameSync(copy, path);
    syncPath(dirname(path));
    reopen();
    this.#watch = new FileWatch(path);
    this.#problem = undefined;
    this.acknowledge();
    return { size, aside };
  }

  /** Whether closing would touch files that are not ours. */
  get isLost(): boolean {
    return this.#problem !== undefined;
  }

  #look(): DatabaseError | undefined {
    const { path, schema } = this.#kept;
    const found = this.#watch.look();
    if (found === "same") return undefined;
    // By a thread of our own, which is at it.
    if (found === "written" && this.#log?.isEmptying) return undefined;
    if (found === "written" && this.#isStillOurs()) {
      this.#watch.note();
      return undefined;
    }
    const what = found === "gone" ? "was removed" : "was replaced";
    return new DatabaseError(
      "replaced",
      `the database ${path} ${what} while the program runs: changes are refused until ` +
        `\`${schema.commands.writeBack}\` writes it back from memory, or a restart takes what is there`,
    );
  }

  /** Reads the file as a newcomer would, past what this connection remembers of its pages. */
  #isStillOurs(): boolean {
    let other: DatabaseSync | undefined;
    try {
      other = new DatabaseSync(this.#kept.path, { readOnly: true });
      const found = readIdentity(other);
      const { id, generation } = this.identity;
      if (found === undefined || found.id !== id || found.generation !== generation) return false;
      checkDigest(other, found, this.#kept.schema);
      return other.prepare("PRAGMA quick_check(1)").get()?.quick_check === "ok";
    } catch {
      return false;
    } finally {
      other?.close();
    }
  }
}

/** The copy has the state of the connection, which triggers have kept a digest of. */
function checkCopy(
  copy: string,
  { id, generation }: Identity,
  schema: ProgramSchema,
): void {
  const db = new DatabaseSync(copy, { readOnly: true });
  try {
    const found = readIdentity(db);
    if (found?.id !== id || found.generation !== generation) {
      throw new DatabaseError("damaged", "what is open is not the database any more");
    }
    checkDigest(db, found, schema);
  } finally {
    db.close();
  }
}

/** Moves whatever is at the path, and its companions, out of the way. */
export function moveAside(path: string, time: string): string | undefined {
  const aside = `${path}.${time}.aside`;
  let moved: string | undefined;
  // The log first: without its database it is nothing, with another one it would be misread.
  for (const suffix of ["-wal", "-shm", "-journal", ""]) {
    if (statSync(path + suffix, { throwIfNoEntry: false }) === undefined) continue;
    renameSync(path + suffix, aside + suffix);
    if (suffix === "") moved = aside;
  }
  return moved;
}
