/**
 * Opens the database of its first argument, makes changes and says which were acknowledged. Killed at
 * one of its system calls.
 */
import { openDatabase } from "../../lib/db/mod.ts";
import { acknowledgeChange } from "./durable_state.ts";

const [path = "", changes = "0"] = Deno.args;
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
for (let i = first; i < first + Number(changes); i++) {
  acknowledgeChange(db, i);
  say(String(i));
  if (i % 3 === 1) db.safekeeping?.checkpoint();
}
say("done");
