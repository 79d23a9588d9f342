import assert from "node:assert/strict";
import { join } from "node:path";
import { DnsControl, NO_PLANE } from "../../lib/dns_control/mod.ts";
import { openDnsDatabase } from "../../lib/dns_store/mod.ts";
import { runCommand } from "../support/commands.ts";
import { nameOf } from "../support/dns_server.ts";
import { ROOT } from "../support/module_graph.ts";
import { temporaryFolder } from "../support/temporary_folder.ts";
import { BEFORE, NEW_NAMES, recordsOf } from "../support/transferred_zone.ts";

const ENTRY = join(ROOT, "tests/support/dns_transfer_worker.ts");
const ORIGIN = nameOf("example.net");

/** Where it is killed, of which form, and whether the new zone is there afterwards. */
const PLACES: readonly [place: string, form: string, isNew: boolean][] = [
  ["between two records", "whole", false],
  ["before the commit", "steps", false],
  ["after the commit", "whole", true],
  ["in the workers", "steps", true],
];

Deno.test("a secondary that is killed within a transfer has the old zone or the new one", async () => {
  await Promise.all(PLACES.map(async ([place, form, isNew]) => {
    using folder = temporaryFolder();
    const path = `${folder.path}/mcns.db`;
    {
      using db = openDnsDatabase(path);
      const author = { actor: "test", action: "CreateZone", time: 0 };
      const row = db.createZone(ORIGIN, recordsOf(BEFORE), author);
      const state = { primary: "p:53", refreshedAt: 0 };
      db.transaction(() => db.secondaries.set(row.id, state));
      db.safekeeping?.acknowledge();
    }
    const flags = ["--no-check", "--no-prompt", "-A", "--config", join(ROOT, "deno.json")];
    const args = ["run", ...flags, ENTRY, path, place, form];
    const { code, stderr } = await runCommand(Deno.execPath(), args);
    assert.equal(code, 137, `${place} ${stderr}`);
    // A start looks at everything: pages, digest, marker.
    using db = openDnsDatabase(path);
    const control = await DnsControl.open({
      ...{ database: db, plane: NO_PLANE, log: () => {}, now: () => 0 },
    });
    const { serial, records } = control.zone(ORIGIN);
    const found = {
      ...{ serial, records },
      steps: db.journal.since(1, 7)?.length ?? 0,
      last: control.explain({ name: `new${NEW_NAMES - 1}.example.net`, type: "A" }).verdict,
    };
    assert.deepEqual(
      found,
      isNew
        ? { serial: 8, records: 3 + NEW_NAMES, steps: 1, last: "answer" }
        : { serial: 7, records: 3, steps: 0, last: "no_name" },
      `${place} ${form}`,
    );
    // It is still a secondary one.
    await assert.rejects(control.zones.remove(ORIGIN, { actor: "", action: "" }), /its primary/);
    await control.close();
  }));
});
