import assert from "node:assert/strict";
import { importIntoDatabase, ServerSilentError } from "../../lib/cli/mcns_import.ts";
import { readZoneName } from "../../lib/dns_control/mod.ts";
import { openDnsDatabase } from "../../lib/dns_store/mod.ts";
import { ServingLock } from "../../lib/sqlite/mod.ts";
import { startMcnsAdmin } from "../support/mcns_admin.ts";
import { temporaryFolder } from "../support/temporary_folder.ts";

const FILE = "$TTL 300\n@ SOA ns host 7 3600 600 604800 60\n@ NS ns\nns A 192.0.2.1\n";
const OPTIONS = { zone: "example.net", actor: "mcns import", log: () => {} };

function octets(text: string) {
  return { ...OPTIONS, file: new TextEncoder().encode(text) };
}

Deno.test("an import goes through the server that runs, and is in effect at once", async () => {
  await using mcns = await startMcnsAdmin();
  const path = `${mcns.folder}/mcns.db`;
  assert.equal(
    await importIntoDatabase(path, octets(FILE)),
    "imported the zone example.net: 3 records (3 added, 0 removed, 0 changed), serial 7",
  );
  await importIntoDatabase(path, octets(`${FILE}www A 192.0.2.7\n`));
  assert.equal(
    mcns.control.explain({ name: "www.example.net", type: "A" }).verdict,
    "answer",
  );
  const [entry] = mcns.control.audit({ limit: 1 });
  assert.match(entry?.actor ?? "", /^uid \d+ \(mcns import\)$/);
  await assert.rejects(importIntoDatabase(path, octets(`${FILE}x A 1\n`)), (error) => {
    assert.match(String(error), /line 5, column 5/);
    return true;
  });
  assert.equal(mcns.control.zone(readZoneName("example.net")).serial, 8);
});

Deno.test("without a server it is made in the database, which a start finds as it was left", async () => {
  using folder = temporaryFolder();
  const path = `${folder.path}/mcns.db`;
  assert.match(await importIntoDatabase(path, octets(FILE)), /serial 7; no server runs$/);
  assert.match(await importIntoDatabase(path, octets(FILE)), /0 added, 0 removed, 0 changed/);
  await assert.rejects(importIntoDatabase(path, octets(`${FILE}x A 1\n`)), {
    name: "RefusedError",
  });
  using db = openDnsDatabase(path);
  assert.equal(db.records.count(), 3);
  assert.equal(db.audit.list({ limit: 9 })[0]?.actor, "mcns import");
});

Deno.test("a server that does not answer is waited for by nobody, and nothing is changed", async () => {
  using folder = temporaryFolder();
  const path = `${folder.path}/mcns.db`;
  await importIntoDatabase(path, octets(FILE));
  {
    using _ = ServingLock.take(path, { takeOver: false });
    await assert.rejects(
      importIntoDatabase(path, octets(`${FILE}b A 192.0.2.2\n`)),
      ServerSilentError,
    );
  }
  using db = openDnsDatabase(path);
  assert.equal(db.records.count(), 3);
});
