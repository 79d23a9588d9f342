import assert from "node:assert/strict";
import { join } from "node:path";
import { exportKeyPem, generateKey } from "../../lib/acme/mod.ts";
import { AcmeSession } from "../../lib/control/acme_session.ts";
import { IssuanceStore } from "../../lib/control/issuance_store.ts";
import { openDatabase } from "../../lib/db/mod.ts";
import { L7, startCa, startWithCa, untilIssued, withFolder } from "../support/acme_proxy.ts";
import { testWithCommands } from "../support/commands.ts";
import { type IssuingCa, startIssuingCa } from "../support/issuing_ca.ts";
import { runCtl } from "../support/mcproxyctl.ts";
import { PEBBLE_COMMANDS, startPebble } from "../support/pebble.ts";
import { temporaryFolder } from "../support/temporary_folder.ts";

function sessionAt(ca: { directory: string; caPem: string }, store: IssuanceStore): AcmeSession {
  return new AcmeSession({
    config: {
      ...{ directory: ca.directory, email: "", agreeTos: true, caCert: "ca.pem" },
      challenge: "http-01",
    },
    store,
    readFile: () => Promise.resolve(new TextEncoder().encode(ca.caPem)),
    userAgent: "test",
    now: Date.now,
  });
}

testWithCommands(
  PEBBLE_COMMANDS,
  "an account goes over to another key, and whoever starts after a crash asks which one counts",
  async () => {
    await using ca = await startPebble();
    using folder = temporaryFolder();
    using db = openDatabase(join(folder.path, "a.db"));
    const store = new IssuanceStore(db);
    const account = () => {
      const found = store.account(ca.directory);
      assert.ok(found);
      return found;
    };
    const open = async () => {
      await using session = sessionAt(ca, store);
      const client = await session.open();
      await client.newOrder({ names: ["a.example"] }); // The authority takes what it signs.
    };
    await open();
    const first = account();
    {
      await using session = sessionAt(ca, store);
      assert.equal(await session.rollKey("ops"), first.url);
      const client = await session.open();
      await client.newOrder({ names: ["a.example"] });
    }
    const second = account();
    assert.notEqual(second.keyPem, first.keyPem);
    assert.deepEqual([second.url, second.nextKeyPem], [first.url, ""]);
    const [entry] = db.audit.list({ limit: 1 });
    assert.equal(entry?.action, "RolloverAccountKey");
    assert.equal(entry?.actor, "ops");
    assert.doesNotMatch(JSON.stringify(entry), /PRIVATE/);
    await open();

    // Killed after the authority was told, and before that was noted.
    await store.setAccount(ca.directory, { ...first, nextKeyPem: second.keyPem });
    await open();
    assert.deepEqual(account(), second);

    // Killed before the authority was told.
    const nextKeyPem = await exportKeyPem(await generateKey());
    await store.setAccount(ca.directory, { ...second, nextKeyPem });
    await open();
    assert.deepEqual(account(), second);

    // A snapshot of before was restored: its key is nobody's, and an account is made anew.
    await store.setAccount(ca.directory, first);
    await open();
    assert.equal(account().keyPem, first.keyPem);
    assert.notEqual(account().url, first.url);
  },
);

Deno.test("the next key is kept before the authority hears of it, and what it refuses changes nothing", async () => {
  using folder = temporaryFolder();
  using db = openDatabase(join(folder.path, "a.db"));
  const store = new IssuanceStore(db);
  let how: "refuse" | "break" | "take" = "refuse";
  const kept: string[] = [];
  await using ca: IssuingCa = await startIssuingCa((step) => {
    if (step !== "keyChange") return undefined;
    kept.push(store.account(ca.directory)?.nextKeyPem ?? "");
    if (how === "take") return undefined;
    return how === "refuse"
      ? Response.json({ type: "urn:ietf:params:acme:error:unauthorized" }, { status: 403 })
      : new Response("?", { status: 500 });
  });
  await using session = sessionAt(ca, store);
  await session.open();
  const before = store.account(ca.directory);
  await assert.rejects(session.rollKey("ops"), /refuses another key \(403\): unauthorized/);
  assert.match(kept[0] ?? "", /PRIVATE KEY/);
  assert.deepEqual(store.account(ca.directory), before);

  // Nobody can say how it ended: the next look at the account asks.
  how = "break";
  await assert.rejects(session.rollKey("ops"), /\(500\)/);
  assert.equal(store.account(ca.directory)?.nextKeyPem, kept[1]);
  await session.open();
  assert.deepEqual(store.account(ca.directory), before);
  how = "take";
  await session.rollKey("ops");
  assert.notEqual(store.account(ca.directory)?.keyPem, before?.keyPem);
  assert.equal(kept.at(-1), store.account(ca.directory)?.keyPem);
  assert.equal(ca.accountKeys.length, 2);
});

testWithCommands(
  PEBBLE_COMMANDS,
  "mcproxyctl rolls the key over, and certificates come with the new one",
  async () => {
    await withFolder(async (folder) => {
      const ca = await startCa();
      await using _pebble = ca.pebble;
      const routes = [{ hostname: "a.example", ...L7 }];
      await using proxy = await startWithCa(ca, { folder, routes });
      await untilIssued(proxy, 1, "it is issued");
      const socketPath = join(folder, "admin.sock");
      const rolled = await runCtl({ socketPath }, ["certificates", "rollover-key"]);
      assert.equal(rolled.code, 0, rolled.stderr);
      assert.match(rolled.stdout, /^the account https:.* has another key/);
      await runCtl({ socketPath }, ["certificates", "renew", "a.example"]);
      await untilIssued(proxy, 2, "it is renewed");
      assert.equal(proxy.events("the account has another key").length, 1);
      assert.doesNotMatch(proxy.process.lines.join("\n"), /PRIVATE KEY/);
    });
  },
);
