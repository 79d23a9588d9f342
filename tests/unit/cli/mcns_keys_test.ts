import assert from "node:assert/strict";
import { join } from "node:path";
import {
  addZoneKey,
  removeZoneKey,
  setZoneKeyRole,
  showZoneKeys,
} from "../../../lib/cli/mcns_keys.ts";
import { parseZoneKeys } from "../../../lib/dnssec/mod.ts";
import { temporaryFolder } from "../../support/temporary_folder.ts";

Deno.test("mcns keys rolls a key over: new, active, retired, removed", async () => {
  using folder = temporaryFolder();
  const file = join(folder.path, "zone.json");
  const tagIn = (text: string) => /key (\d+)/.exec(text)?.[1] ?? "";
  const roles = () => {
    const keys = parseZoneKeys(Deno.readTextFileSync(file));
    assert(keys.ok);
    return keys.value.map(({ role }) => role);
  };
  const made = await addZoneKey(file);
  assert.match(made, /^made the key \d+, active$/);
  const first = tagIn(made);
  assert.equal((Deno.statSync(file).mode ?? 0) & 0o777, 0o600);
  assert.match(
    await showZoneKeys(file, "z.example"),
    new RegExp(`^; ${first} active\\nz\\.example\\. DNSKEY 257 3 13 \\S+`),
  );
  assert.match(
    await showZoneKeys(file, "z.example."),
    new RegExp(`\\nz\\.example\\. DS ${first} 13 2 [0-9A-F]{64}$`, "i"),
  );
  const second = tagIn(await addZoneKey(file));
  assert.deepEqual(roles(), ["active", "published"]);
  // The parent is told of the one that comes.
  assert.match(await showZoneKeys(file, "z.example"), new RegExp(`DS ${second} 13 2`));
  await assert.rejects(removeZoneKey(file, second), /is published: retire it first/);
  await assert.rejects(setZoneKeyRole(file, first, "retired"), /none of its keys is active/);
  assert.deepEqual(roles(), ["active", "published"]); // Nothing was written.
  await setZoneKeyRole(file, second, "active");
  assert.equal(await setZoneKeyRole(file, first, "retired"), `the key ${first} is retired`);
  assert.deepEqual(roles(), ["retired", "active"]);
  await removeZoneKey(file, first);
  assert.deepEqual(roles(), ["active"]);
  await assert.rejects(setZoneKeyRole(file, "1", "active"), /has no key 1/);
  await assert.rejects(
    setZoneKeyRole(file, second, "lost"),
    /lost is none of published, active, retired/,
  );
  await assert.rejects(showZoneKeys(file, "a..b"), /is no name/);
  await assert.rejects(showZoneKeys(join(folder.path, "none"), "z"), /cannot read/);
  Deno.writeTextFileSync(file, "{}");
  await assert.rejects(addZoneKey(file), /it has no keys/);
  assert.deepEqual([...Deno.readDirSync(folder.path)].map(({ name }) => name), ["zone.json"]);
});
