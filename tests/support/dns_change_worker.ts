/**
 * Changes a name server's database and ends itself at the place that it is told, as a process that is
 * killed does: `DATABASE PLACE`.
 *
 * @module
 */
import process from "node:process";
import { nameFromText } from "../../lib/dns/mod.ts";
import { DnsControl } from "../../lib/dns_control/mod.ts";
import { openDnsDatabase } from "../../lib/dns_store/mod.ts";

const [path = "", place = ""] = Deno.args;
const die = (where: string) => {
  if (where === place) process.kill(process.pid, "SIGKILL");
};

const database = openDnsDatabase(path);
// As the server does: a commit leaves the disk to others.
database.neverBlock();
const reachDisk = database.reachDisk.bind(database);
database.reachDisk = async () => {
  die("after the commit");
  await reachDisk();
  die("on the disk");
};
const add = database.audit.add.bind(database.audit);
database.audit.add = (entry) => {
  add(entry);
  die("before the commit");
};
const control = await DnsControl.open({
  ...{ database, log: () => {}, now: () => 0 },
  plane: {
    apply: () => {
      die("in the workers");
      return Promise.resolve({ pendingWorkers: [] });
    },
  },
});
const origin = nameFromText("example.net");
if (!origin.ok) throw new Error(origin.reason);
const record = { name: "new", type: "A", value: "192.0.2.7" };
await control.records.add(origin.value, record, { actor: "test", action: "AddRecord" });
die("acknowledged");
