import assert from "node:assert/strict";
import { join } from "node:path";
import { nameFromText, parseZoneFile } from "../../lib/dns/mod.ts";
import { DnsControl, NO_PLANE } from "../../lib/dns_control/mod.ts";
import { openDnsDatabase } from "../../lib/dns_store/mod.ts";
import { runCommand } from "../support/commands.ts";
import { ROOT } from "../support/module_graph.ts";
import { temporaryFolder } from "../support/temporary_folder.ts";

const FILE = "$TTL 300\n@ SOA ns host 7 3600 600 604800 60\n@ NS ns\nns A 192.0.2.1\n";
const ENTRY = join(ROOT, "tests/support/dns_change_worker.ts");

/** Where it is killed, and whether the change is there afterwards. */
const PLACES: readonly [string, boolean][] = [
  ["before the commit", false],
  ["after the commit", true],
  ["on the disk", true],
  ["in the workers", true],
  ["acknowledged", true],
];

Deno.test("a name server that is killed at any step has all of a change or nothing", async () => {
  const origin = nameFromText("example.net");
  assert(origin.ok);
  const { records } = parseZoneFile(FILE, { origin: origin.value });
  await Promise.all(PLACES.map(async ([place, isThere]) => {
    using folder = temporaryFolder();
    const path = `${folder.path}/mcns.db`;
    {
      using db = openDnsDatabase(path);
      db.createZone(origin.value, records, { actor: "test", action: "CreateZone", time: 0 });
      db.safekeeping?.acknowledge();
    }
    const flags = ["--no-check", "--no-prompt", "-A", "--config", join(ROOT, "deno.json")];
    const { code } = await runCommand(Deno.execPath(), ["run", ...flags, ENTRY, path, place]);
    assert.notEqual(code, 0, place);
    // A start looks at everything: pages, digest, marker.
    using db = openDnsDatabase(path);
    const control = await DnsControl.open({
      ...{ database: db, plane: NO_PLANE, log: () => {}, now: () => 0 },
    });
    const zone = control.zone(origin.value);
    const found = {
      serial: zone.serial,
      records: zone.records,
      steps: db.journal.since(1, 7)?.length ?? 0,
      audit: db.audit.list({ limit: 9 }).length,
      verdict: control.explain({ name: "new.example.net", type: "A" }).verdict,
    };
    assert.deepEqual(
      found,
      isThere
        ? { serial: 8, records: 4, steps: 1, audit: 2, verdict: "answer" }
        : { serial: 7, records: 3, steps: 0, audit: 1, verdict: "no_name" },
      place,
    );
    await control.close();
  }));
});
