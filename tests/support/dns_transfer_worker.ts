/**
 * Takes a secondary zone from its primary and ends itself at the place that it is told, as a process
 * that is killed does: `DATABASE PLACE FORM`.
 *
 * @module
 */
import process from "node:process";
import type { Name } from "../../lib/dns/mod.ts";
import { DnsControl } from "../../lib/dns_control/mod.ts";
import { openDnsDatabase } from "../../lib/dns_store/mod.ts";
import { nameOf } from "./dns_server.ts";
import { transferredZone } from "./transferred_zone.ts";

const [path = "", place = "", form = ""] = Deno.args;
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
const addRecord = database.records.add.bind(database.records);
let added = 0;
database.records.add = (...args) => {
  if (++added === 2) die("between two records");
  return addRecord(...args);
};
const control = await DnsControl.open({
  ...{ database, log: () => {}, now: () => 1000 },
  plane: {
    apply: (change) => {
      if (change.kind !== "expire") die("in the workers");
      return Promise.resolve({ pendingWorkers: [] });
    },
  },
});
const origin: Name = nameOf("example.net");
await control.secondaries.take(origin, transferredZone(form), { primary: "p:53" });
die("acknowledged");
