/**
 * A program for tests: adds routes to the database that its argument names, without end, and
 * prints the id of each one when it has been acknowledged. Every tenth is part of a transaction
 * with a firewall rule.
 *
 * @module
 */
import { openDatabase } from "../../lib/db/mod.ts";

using db = openDatabase(Deno.args[0] ?? "");
const { id: listenerId } = db.addListener({ addr: ":443" });
const encoder = new TextEncoder();
for (let i = 0;; i++) {
  const route = { hostname: `h${i}.example`, backend: "10.0.0.1:443" };
  const { id } = i % 10 > 0 ? db.addRoute(listenerId, route) : db.transaction(() => {
    db.addFirewallRule({ type: "cidr", value: `10.${i >> 8}.${i & 255}.0/24` });
    return db.addRoute(listenerId, route);
  });
  Deno.stdout.writeSync(encoder.encode(`${id}\n`));
}
