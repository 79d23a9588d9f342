import { openInMemory, type OpenOptions, openStateDatabase, type Program } from "../sqlite/mod.ts";
import { Database } from "./database.ts";
import { SCHEMA } from "./migrations.ts";

const PROGRAM: Program<Database> = {
  schema: SCHEMA,
  make: (db, parts) => new Database(db, parts),
};

/**
 * Opens the database and brings its schema up to date. A new file has mode 0600; an older one gets
 * it. The path is a path: neither `:memory:` nor a `file:` URI means anything special.
 *
 * @throws {DatabaseError}
 *
 * @example
 * ```ts
 * import { openDatabase } from "./mod.ts";
 * import assert from "node:assert/strict";
 *
 * const folder = await Deno.makeTempDir();
 * {
 *   using db = openDatabase(`${folder}/mc-proxy.db`);
 *   const { id } = db.addListener({ addr: ":443" });
 *   db.addRoute(id, { hostname: "a.example", backend: "10.0.0.1:443" });
 *   assert.equal(db.routes(id)[0]?.mode, "l4");
 * }
 * await Deno.remove(folder, { recursive: true });
 * ```
 */
export function openDatabase(path: string, options: OpenOptions = {}): Database {
  return openStateDatabase(path, options, PROGRAM);
}

/**
 * A database that ends with the process, for a command whose flags are the whole truth.
 *
 * @throws {DatabaseError}
 */
export function openMemoryDatabase(): Database {
  return openInMemory(PROGRAM);
}
