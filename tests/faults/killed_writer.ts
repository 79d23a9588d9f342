/**
 * Opens the database of its first argument, makes changes and says which were acknowledged. Killed at
 * one of its system calls. With a third argument, as a process that serves, whose main thread never
 * waits for the disk.
 */
import { openDatabase } from "../../lib/db/mod.ts";
import { acknowledgeChange, acknowledgeMeanwhile } from "./durable_state.ts";

const [path = "", changes = "0", serving] = Deno.args;
const say = (word: string) => Deno.stdout.writeSync(new TextEncoder().encode(`${word}\n`));

using db = openDatabase(path);
if (db.listeners().length === 0) {
  db.seed({
    listeners: [{ addr: ":443", routes: [] }],
    firewall: { blockedIps: [], blockedCidrs: [], blockedCountries: [] },
  });
  db.safekeeping?.checkpoint();
  db.safekeeping?.acknowledge();
}
say("seeded");
const first = db.routes(1).length;
if (serving !== undefined) db.neverBlock();
for (let i = first; i < first + Number(changes); i++) {
  if (serving === undefined) acknowledgeChange(db, i);
  else await acknowledgeMeanwhile(db, i);
  say(String(i));
  if (i % 3 === 1) await db.safekeeping?.checkpointMeanwhile();
}
say("done");
