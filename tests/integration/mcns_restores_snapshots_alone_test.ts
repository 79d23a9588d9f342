import assert from "node:assert/strict";
import { join, resolve } from "node:path";
import { runMcnsRestore } from "../../lib/cli/mcns_restore.ts";
import { runMcnsSnapshot } from "../../lib/cli/mcns_snapshot.ts";
import { openDatabase } from "../../lib/db/mod.ts";
import { openDnsDatabase } from "../../lib/dns_store/mod.ts";
import { ServingLock } from "../../lib/sqlite/mod.ts";
import { nameOf } from "../support/dns_server.ts";
import { temporaryFolder } from "../support/temporary_folder.ts";
import { recordsOf } from "../support/transferred_zone.ts";
import { BEFORE } from "../support/transferred_zone.ts";

const AUTHOR = { actor: "test", action: "Test", time: 0 };

function add(path: string, zone: string): void {
  using db = openDnsDatabase(path);
  const records = recordsOf(BEFORE).map((record) => ({ ...record, name: nameOf(zone) }));
  db.createZone(nameOf(zone), records, AUTHOR);
  db.safekeeping?.acknowledge();
}

function zonesOf(path: string): number {
  using db = openDnsDatabase(path);
  return db.zones.list().length;
}

Deno.test("mcns restore takes a snapshot back, and nothing that is none", async () => {
  using folder = temporaryFolder();
  const at = (name: string) => join(folder.path, name);
  const [config, database] = [at("mcns.toml"), at("mcns.db")];
  await Deno.writeTextFile(config, `[database]\npath = "${database}"\n[dns]\n`);
  add(database, "one.example");
  const snapshot = await runMcnsSnapshot(config, { output: at("snapshot") });
  add(database, "two.example");

  await Deno.writeTextFile(at("empty"), "");
  await Deno.writeTextFile(at("text"), "no database at all".repeat(1000));
  const whole = await Deno.readFile(snapshot);
  await Deno.writeFile(at("half"), whole.subarray(0, whole.length / 2));
  const damaged = whole.slice();
  damaged.fill(0x55, whole.length / 2, whole.length / 2 + 4096);
  await Deno.writeFile(at("damaged"), damaged);
  {
    using other = openDatabase(at("proxy.db"));
    await other.snapshot(at("proxy"), { overwrite: false });
  }
  for (const name of ["empty", "text", "half", "damaged", "proxy", "missing"]) {
    await assert.rejects(runMcnsRestore(config, { from: at(name) }), /cannot restore/, name);
    assert.equal(zonesOf(database), 2, name);
  }
  for (const options of [{}, { from: snapshot, asItIs: true }]) {
    await assert.rejects(runMcnsRestore(config, options), /one of them/);
  }
  {
    using lock = ServingLock.take(resolve(database), { takeOver: false });
    assert(lock !== undefined);
    for (const options of [{ from: snapshot }, { asItIs: true }]) {
      await assert.rejects(
        runMcnsRestore(config, options),
        /serves the database .*: stop it first/,
      );
    }
  }
  assert.equal(zonesOf(database), 2);
  const said = await runMcnsRestore(config, { from: snapshot });
  assert.match(said, /1 zones, 3 records; what was there before is /);
  assert.equal(zonesOf(database), 1);
  const [, aside = ""] = /before is (\S+)$/.exec(said) ?? [];
  assert.equal((await Deno.stat(aside)).isFile, true);
  assert.match(await runMcnsRestore(config, { asItIs: true }), /1 zones, 3 records$/);
});
