/**
 * What the fault tests ask a database and a proxy for: the state, whole, as one text.
 *
 * @module
 */
import { copyFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { type Database, openDatabase } from "../../lib/db/mod.ts";

/** Hours of faults instead of minutes: `FAULT_ROUNDS=100` multiplies what is tried. */
export const ROUNDS = Math.max(1, Number(Deno.env.get("FAULT_ROUNDS") ?? 1));

/** Everything that an operator has said and that a loss would be noticed by. */
export function stateOf(db: Database): string {
  const listeners = db.listeners().map((listener) => ({
    listener,
    routes: db.routes(listener.id),
  }));
  const rules = db.rules.list().map(({ hits: _, ...rule }) => rule);
  const { rateLimit } = db.settings;
  return JSON.stringify({ listeners, rules, policies: db.policies.list(), rateLimit });
}

/** A change that every table takes part in, and that is acknowledged. */
export function acknowledgeChange(db: Database, number: number): void {
  change(db, number);
  db.safekeeping?.acknowledge();
}

/** {@link acknowledgeChange} of a process that serves. */
export async function acknowledgeMeanwhile(db: Database, number: number): Promise<void> {
  change(db, number);
  await db.reachDisk();
  await db.safekeeping?.acknowledgeMeanwhile();
}

function change(db: Database, number: number): void {
  // As the control plane does it: undoable, and now and then undone.
  const { undo } = db.undoable(() => db.addRoute(1, { hostname: "undone", backend: "x:1" }));
  undo();
  db.undoable(() => {
    const hostname = `h${number}.example`;
    const { id } = db.addRoute(1, { hostname, backend: `192.0.2.1:${number}`, mode: "l7" });
    db.policies.add(id, { type: "require_header", value: `x-${number}` });
    db.rules.add({ type: "ip", value: `198.51.100.${number % 256}`, reason: `reason ${number}` });
    const entry = { actor: "test", action: "Change", subject: hostname, before: "", after: "{}" };
    db.audit.add({ time: number, ...entry });
    if (number > 0) db.settings.setRateLimit({ limit: number, windowMs: 1000 });
  });
}

/** A database with one listener, and `changes` that were acknowledged. */
export function fill(db: Database, changes: number): void {
  db.addListener({ addr: ":443" });
  db.safekeeping?.acknowledge();
  for (let i = 0; i < changes; i++) acknowledgeChange(db, i);
}

/** Copies the files of a folder, as a crash would leave them. */
export function copyFiles(from: string, to: string): void {
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    if (entry.isFile()) copyFileSync(join(from, entry.name), join(to, entry.name));
  }
}

/** What opening a database comes to: its state, or the code of the refusal. */
export function outcomeOf(path: string): { state: string } | { refused: unknown; message: string } {
  try {
    using db = openDatabase(path);
    return { state: stateOf(db) };
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return { refused: "code" in error ? error.code : error.name, message: error.message };
  }
}
