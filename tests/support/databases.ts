import { type Database, openDatabase } from "../../lib/db/mod.ts";
import { temporaryFolder } from "./temporary_folder.ts";

/** Runs `body` on a new database, which is closed afterwards. */
export function withDatabase(body: (db: Database) => void): void {
  using folder = temporaryFolder();
  using db = openDatabase(`${folder.path}/a.db`);
  body(db);
}
