import { chmodSync, closeSync, openSync, renameSync, rmSync } from "node:fs";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import type {
  HistoryPage,
  HistoryQuery,
  HistorySettings,
  PastConnection,
  PastVisits,
  VisitsPage,
} from "./messages.ts";
import { conditionsOf } from "./query.ts";
import { clientOf, FIELDS, IDS_PER_MS, keyOf, timeOf, toConnection, valuesOf } from "./rows.ts";
import { addVisit } from "./visits.ts";

const MIB = 1024 * 1024;

const DAY_MS = 24 * 3_600_000;

/** Whoever else writes is the process that we take over from. */
const BUSY_TIMEOUT_MS = 5_000;

/** So many of the oldest rows make room at once: some milliseconds. */
const PURGE_ROWS = 1_000;

/** So often for each piece that is added: after the limit was lowered it takes a while. */
const MAX_PURGES = 4;

/** Rows that are added between two looks at the size: of at most 10 kB, which is rarely reached. */
const ROWS_BETWEEN_LOOKS = 200;

/** How far the file may go above the limit, and how large its log stays. */
const HEADROOM_BYTES = 4 * MIB;

const LOG_BYTES = 4 * MIB;

/** Pages that are given back to the file system at once when the limit was lowered. */
const VACUUM_PAGES = 500;

/** What is not a database of ours, by SQLite's result codes: SQLITE_CORRUPT, SQLITE_NOTADB. */
const BROKEN_CODES: ReadonlySet<number> = new Set([11, 26]);

const SQL = {
  create: `CREATE TABLE IF NOT EXISTS connections (
    id INTEGER PRIMARY KEY,
    client BLOB NOT NULL,
    listener TEXT NOT NULL,
    sni TEXT NOT NULL,
    route TEXT NOT NULL,
    backend TEXT NOT NULL,
    rule TEXT NOT NULL,
    identity TEXT NOT NULL,
    outcome TEXT NOT NULL,
    reason TEXT NOT NULL,
    bytes_in INTEGER NOT NULL,
    bytes_out INTEGER NOT NULL,
    duration_ms INTEGER NOT NULL,
    count INTEGER NOT NULL
  ) STRICT`,
  index: "CREATE INDEX IF NOT EXISTS connections_by_client ON connections (client, id)",
  // Of two processes, or after the clock was set back, ids go on from the last.
  add: `INSERT INTO connections (id, ${FIELDS})
    VALUES (max(?, coalesce((SELECT max(id) FROM connections), 0) + 1),
      ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  oldest: "SELECT min(id) AS id FROM connections",
  purge: `DELETE FROM connections WHERE id IN
    (SELECT id FROM connections WHERE id < ? ORDER BY id LIMIT ?)`,
  visits: `SELECT id, client, listener, sni, outcome, count FROM connections
    WHERE client > ? AND id >= ? ORDER BY client`,
} as const;

/**
 * Past connections in a database of their own: a ring bounded by days and by size. It is worth
 * having and not worth waiting for: no octet of it is awaited on the disk, and one that is broken is
 * put aside for a new one.
 */
export class HistoryStore implements Disposable {
  readonly #db: DatabaseSync;
  readonly #settings: HistorySettings;
  readonly #add: StatementSync;
  readonly #purge: StatementSync;
  readonly #oldest: StatementSync;

  private constructor(db: DatabaseSync, settings: HistorySettings) {
    this.#db = db;
    this.#settings = settings;
    configure(db, settings);
    this.#add = db.prepare(SQL.add);
    this.#purge = db.prepare(SQL.purge);
    this.#oldest = db.prepare(SQL.oldest);
  }

  /**
   * Opens it, or makes it, mode 0600. A file that is no database is moved aside.
   *
   * @returns where a broken one is now, if there was one.
   */
  static open(settings: HistorySettings): { store: HistoryStore; aside?: string } {
    try {
      return { store: HistoryStore.#open(settings) };
    } catch (error) {
      const code = (error as { errcode?: unknown }).errcode;
      if (typeof code !== "number" || !BROKEN_CODES.has(code & 0xff)) throw error;
      const aside = `${settings.path}.broken`;
      renameSync(settings.path, aside);
      for (const end of ["-wal", "-shm"]) rmSync(settings.path + end, { force: true });
      return { store: HistoryStore.#open(settings), aside };
    }
  }

  static #open(settings: HistorySettings): HistoryStore {
    closeSync(openSync(settings.path, "a", 0o600));
    chmodSync(settings.path, 0o600);
    const db = new DatabaseSync(settings.path, { timeout: BUSY_TIMEOUT_MS });
    try {
      return new HistoryStore(db, settings);
    } catch (error) {
      db.close();
      throw error;
    }
  }

  /** Adds connections, all of them or none, and makes room for them. */
  add(connections: readonly PastConnection[], nowMs: number): void {
    this.#db.exec("BEGIN IMMEDIATE");
    try {
      this.#purge.run((nowMs - this.#settings.days * DAY_MS) * IDS_PER_MS, PURGE_ROWS);
      for (let at = 0; at < connections.length; at += ROWS_BETWEEN_LOOKS) {
        this.#makeRoom();
        const some = connections.slice(at, at + ROWS_BETWEEN_LOOKS);
        for (const connection of some) this.#add.run(...valuesOf(connection));
      }
      this.#db.exec("COMMIT");
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec("ROLLBACK");
      throw error;
    }
    if (this.#pages("page_count") > this.#maxPages) {
      this.#db.exec(`PRAGMA incremental_vacuum(${VACUUM_PAGES})`);
    }
  }

  /** The latest first. */
  find(query: HistoryQuery): HistoryPage {
    const { where, values } = conditionsOf(query);
    const sql = `SELECT id, ${FIELDS} FROM connections WHERE ${where.join(" AND ")}
      ORDER BY id DESC LIMIT ?`;
    const rows = this.#db.prepare(sql).all(...values, query.limit);
    const oldest = this.#oldest.get()?.id;
    return {
      connections: rows.map(toConnection),
      ...typeof oldest === "number" && { oldestMs: timeOf(oldest) },
    };
  }

  /** Who asked for what since a time: about `limit` clients and names, and all of the last client. */
  visits(
    sinceMs: number,
    { after, limit }: { after?: string | undefined; limit: number },
  ): VisitsPage {
    const visits: PastVisits[] = [];
    let current: { readonly client: string; readonly by: Map<string, PastVisits> } | undefined;
    const start = after === undefined ? new Uint8Array() : keyOf(after);
    const finish = () => {
      if (current !== undefined) visits.push(...current.by.values());
    };
    for (const row of this.#db.prepare(SQL.visits).iterate(start, sinceMs * IDS_PER_MS)) {
      const client = clientOf(row.client);
      if (client !== current?.client) {
        finish();
        if (current !== undefined && visits.length >= limit) {
          return { visits, next: current.client };
        }
        current = { client, by: new Map() };
      }
      addVisit(current.by, client, row);
    }
    finish();
    return { visits };
  }

  [Symbol.dispose](): void {
    this.#db.close();
  }

  /** The oldest give way to those that come, a little more of them than needed. */
  #makeRoom(): void {
    const usedPages = () => this.#pages("page_count") - this.#pages("freelist_count");
    for (let i = 0; i < MAX_PURGES && usedPages() >= this.#maxPages; i++) {
      this.#purge.run(Number.MAX_SAFE_INTEGER, PURGE_ROWS);
    }
  }

  get #maxPages(): number {
    return Math.floor(this.#settings.megabytes * MIB / this.#pages("page_size"));
  }

  #pages(name: "page_count" | "freelist_count" | "page_size"): number {
    return Number(this.#db.prepare(`PRAGMA ${name}`).get()?.[name]);
  }
}

function configure(db: DatabaseSync, { megabytes }: HistorySettings): void {
  // Not `exec()`: its errors do not say which they are.
  const run = (sql: string) => db.prepare(sql).all();
  run("PRAGMA auto_vacuum = INCREMENTAL");
  run("PRAGMA journal_mode = WAL");
  run("PRAGMA synchronous = NORMAL");
  run("PRAGMA temp_store = MEMORY");
  run(`PRAGMA journal_size_limit = ${LOG_BYTES}`);
  const pageSize = Number(db.prepare("PRAGMA page_size").get()?.page_size);
  // Whatever happens.
  run(`PRAGMA max_page_count = ${Math.ceil((megabytes * MIB + HEADROOM_BYTES) / pageSize)}`);
  run(SQL.create);
  run(SQL.index);
}
