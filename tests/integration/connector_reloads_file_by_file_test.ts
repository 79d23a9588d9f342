import assert from "node:assert/strict";
import { stringify } from "smol-toml";
import { startEchoBackend } from "../support/backends.ts";
import { createAuthority, issueRevocationList } from "../support/certificates.ts";
import type { TlsPeer } from "../support/clients.ts";
import { directoryOf, issueClient, root } from "../support/connector.ts";
import { type ConnectorProcess, startConnectorProcess } from "../support/connector_process.ts";
import { eventually, withinDeadline } from "../support/deadline.ts";

const RELOADED = "connector's certificates and lists reloaded";

const next = await createAuthority({ commonName: "next root" });
const alice = await issueClient("acme", "alice");
const bob = await issueClient("acme", "bob", { authority: next });

async function start(address: string, lists: readonly string[]): Promise<ConnectorProcess> {
  const connector = await startConnectorProcess({
    directory: directoryOf(address),
    config: { metrics: { addr: "127.0.0.1:0" }, server: { workers: 2 } },
    crls: lists,
  });
  return connector;
}

/** Whether the client is let in. */
async function isLetIn(connecting: Promise<TlsPeer>): Promise<boolean> {
  await using peer = await connecting;
  await peer.write("x").catch(() => {});
  const echoed = await peer.read(1).then(() => true, () => false);
  peer.end();
  await withinDeadline(peer.ending, "the connection ends");
  return echoed;
}

/** What `/healthz` says. */
async function health({ proxy }: ConnectorProcess): Promise<string> {
  const [{ port } = {}] = proxy.events("metrics");
  const response = await fetch(`http://127.0.0.1:${port}/healthz`);
  return `${response.status} ${await response.text()}`;
}

async function reload({ proxy }: ConnectorProcess, times: number): Promise<void> {
  proxy.process.signal("SIGHUP");
  await eventually(() => proxy.events(RELOADED).length >= times, `reload number ${times}`);
}

Deno.test("an authority is removed although its list, or any other file, stands in the way", async () => {
  await using backend = await startEchoBackend();
  await using connector = await start(backend.address, [await issueRevocationList(root, [])]);
  await Deno.writeTextFile(connector.path("ca.pem"), root.certPem + next.certPem);
  await reload(connector, 1);
  assert.ok(await isLetIn(connector.connect(alice)));
  await using session = await connector.connect(alice);
  await session.write("x");
  await session.read(1);

  // The key is broken in the same moment, and the list names an authority that is gone.
  const key = await Deno.readTextFile(connector.path("server.key"));
  await Deno.writeTextFile(connector.path("server.key"), "half a key");
  await Deno.writeTextFile(connector.path("ca.pem"), next.certPem);
  await reload(connector, 2);
  await withinDeadline(session.ending, "the session of the removed authority ends");
  assert.equal(await isLetIn(connector.connect(alice)), false);
  assert.ok(await isLetIn(connector.connect(bob)), "the honest client gets in");
  assert.match(await health(connector), /^200 serving\nconnector: .*server\.pem: /);

  await Deno.writeTextFile(connector.path("server.key"), key);
  connector.proxy.process.signal("SIGHUP");
  // What is left to say is the list that nothing of today's authorities needs.
  const mended = /^200 serving\nconnector: \S+list-0\.crl: ignored: [^\n]*\n$/;
  await eventually(async () => mended.test(await health(connector)), "health is mended");
});

Deno.test("a list that is named anew counts after SIGHUP, and a broken configuration shows", async () => {
  await using backend = await startEchoBackend();
  await using connector = await start(backend.address, []);
  await using session = await connector.connect(alice);
  await session.write("x");
  await session.read(1);
  const list = connector.path("new.crl");
  await Deno.writeTextFile(list, await issueRevocationList(root, [alice]));
  const path = connector.path("mc-proxy.toml");
  const before = await Deno.readTextFile(path);
  await Deno.writeTextFile(
    path,
    before.replace("[connector]", `$&\n${stringify({ crls: [list] })}`),
  );
  await reload(connector, 1);
  await withinDeadline(session.ending, "the session of the revoked certificate ends");
  assert.equal(await isLetIn(connector.connect(alice)), false);

  await Deno.writeTextFile(path, "[connector");
  connector.proxy.process.signal("SIGHUP");
  await eventually(
    async () => (await health(connector)).includes("the configuration was not read again"),
    "health says that the configuration is broken",
  );
  assert.equal(await isLetIn(connector.connect(alice)), false, "the list still counts");
});
