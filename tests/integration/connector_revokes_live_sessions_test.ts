import assert from "node:assert/strict";
import { loadRevocationLists } from "../../lib/connector/mod.ts";
import { startEchoBackend } from "../support/backends.ts";
import { createAuthority, issueRevocationList } from "../support/certificates.ts";
import type { TlsPeer } from "../support/clients.ts";
import {
  connectorOf,
  directoryOf,
  issueClient,
  root,
  startConnector,
  type TestConnector,
} from "../support/connector.ts";
import { postgresTest, startConnectorDatabase } from "../support/connector_database.ts";
import { startConnectorProcess, writeDirectory } from "../support/connector_process.ts";
import { eventually, withinDeadline } from "../support/deadline.ts";
import { holdHandshake } from "../support/held_handshake.ts";

const alice = await issueClient("acme", "alice");
const bob = await issueClient("acme", "bob");

/** A client that was let in, and has heard its echo. */
async function enter(connecting: Promise<TlsPeer>): Promise<TlsPeer> {
  const peer = await connecting;
  await peer.write("x");
  await peer.read(1);
  return peer;
}

async function alive(peer: TlsPeer): Promise<void> {
  await peer.write("y");
  assert.equal(new TextDecoder().decode(await peer.read(1)), "y");
}

async function leave(peer: TlsPeer): Promise<void> {
  peer.end();
  await peer.ending;
}

Deno.test("a session ends when its right does, and the others go on", async () => {
  await using backend = await startEchoBackend();
  await using connector = await startConnector({ address: backend.address });
  await using first = await enter(connector.connect(alice));
  await using second = await enter(connector.connect(bob));
  connector.directory.exec("UPDATE teams SET user_ids = '[]'");
  connector.access.changed();
  await withinDeadline(second.ending, "bob's session ends");
  const event = await connector.plane.event();
  assert.deepEqual(
    [event.outcome, event.reason, event.identity, event.bytesIn],
    ["authorization_revoked", "access_revoked: not_listed", "acme/bob", 1],
  );
  await alive(first);
  await leave(first);
});

Deno.test("a session ends within revalidate when nobody announces the change", async () => {
  await using backend = await startEchoBackend();
  await using connector = await startConnector({
    address: backend.address,
    access: { revalidateMs: 100 },
  });
  await using peer = await enter(connector.connect(alice));
  connector.directory.exec("UPDATE backend_hosts SET org_id = 'globex'");
  await withinDeadline(peer.ending, "the session ends");
  assert.equal((await connector.plane.event()).reason, "access_revoked: other_org");
});

Deno.test("a session ends with its certificate", async () => {
  const brief = await issueClient("acme", "alice", { notAfter: new Date(Date.now() + 2500) });
  await using backend = await startEchoBackend();
  await using connector = await startConnector({
    address: backend.address,
    access: { revalidateMs: 200 },
  });
  await using peer = await enter(connector.connect(brief));
  await withinDeadline(peer.ending, "the session ends");
  const { outcome, reason } = await connector.plane.event();
  assert.deepEqual([outcome, reason], ["authorization_revoked", "certificate_expired"]);
});

Deno.test("a session ends when the host's row names another address", async () => {
  await using backend = await startEchoBackend();
  await using connector = await startConnector({ address: backend.address });
  await using peer = await enter(connector.connect(alice));
  connector.directory.exec("UPDATE backend_hosts SET internal_ip_addr = '127.0.0.1:1'");
  connector.access.changed();
  await withinDeadline(peer.ending, "the session ends");
  assert.equal((await connector.plane.event()).reason, "host_moved");
});

/** Hands new authorities or lists to the data plane, as a reload does. */
async function reload(
  connector: TestConnector,
  changes: Parameters<typeof connectorOf>[0],
): Promise<void> {
  const { plane } = connector.plane;
  await plane.apply([{ kind: "connector", connector: connectorOf(changes) }]);
}

Deno.test("authorities rotate without dropping a session of those that stay", async () => {
  const next = await createAuthority({ commonName: "next root" });
  const intermediate = await createAuthority({ commonName: "intermediate", issuer: next });
  const renewed = await issueClient("acme", "alice", { authority: next });
  const deep = await issueClient("acme", "alice", { authority: intermediate });
  await using backend = await startEchoBackend();
  await using connector = await startConnector({ address: backend.address });
  await using old = await enter(connector.connect(alice));

  await reload(connector, { authorities: [root.certPem, next.certPem] });
  await using young = await enter(connector.connect(renewed));
  await using below = await enter(connector.connect(deep));
  await alive(old);

  await reload(connector, { authorities: [next.certPem] });
  await withinDeadline(old.ending, "the session of the removed authority ends");
  const { outcome, reason } = await connector.plane.event();
  assert.deepEqual([outcome, reason], ["authorization_revoked", "certificate_revoked"]);
  await alive(young);
  await alive(below);
  await using late = await connector.connect(alice);
  await withinDeadline(late.ending, "the old certificate is refused");
  assert.equal((await connector.plane.event(1)).outcome, "certificate_refused");
  await leave(young);
  await leave(below);
});

Deno.test("authorities that are replaced during a handshake decide about it", async () => {
  const next = await createAuthority({ commonName: "next root" });
  await using backend = await startEchoBackend();
  await using connector = await startConnector({ address: backend.address });
  for (const authorities of [[root.certPem, next.certPem], [next.certPem]]) {
    await using handshake = await holdHandshake(connector.plane.port);
    const connecting = connector.connect(alice, { port: handshake.port });
    await withinDeadline(handshake.held, "the client's certificate is on its way");
    await reload(connector, { authorities });
    handshake.release();
    await using peer = await connecting;
    if (authorities.includes(root.certPem)) {
      await alive(peer);
      await leave(peer);
    } else await withinDeadline(peer.ending, "the client is refused");
  }
  const outcomes = [await connector.plane.event(), await connector.plane.event(1)];
  assert.deepEqual(outcomes.map(({ outcome }) => outcome), ["relayed", "certificate_refused"]);
});

Deno.test("a connector whose last authority is removed lets nobody in", async () => {
  await using backend = await startEchoBackend();
  await using connector = await startConnector({ address: backend.address });
  await using session = await enter(connector.connect(alice));
  await reload(connector, { authorities: [] });
  await withinDeadline(session.ending, "the session ends");
  await using late = await connector.connect(alice);
  await withinDeadline(late.ending, "nobody gets in");
  assert.match((await connector.plane.event(1)).reason ?? "", /^untrusted/);
});

Deno.test("a new revocation list ends the session of the certificate it names", async () => {
  await using backend = await startEchoBackend();
  await using connector = await startConnector({ address: backend.address });
  await using first = await enter(connector.connect(alice));
  await using second = await enter(connector.connect(bob));
  const list = new TextEncoder().encode(await issueRevocationList(root, [bob]));
  const loaded = loadRevocationLists([list], { authorities: [root.certPem], nowMs: Date.now() });
  assert.ok(loaded.ok);
  await reload(connector, { revocationLists: loaded.lists });
  await withinDeadline(second.ending, "the revoked session ends");
  assert.equal((await connector.plane.event()).identity, "acme/bob");
  await alive(first);
  await leave(first);
});

Deno.test("an import into SQLite ends sessions in the workers, and files are read again", async () => {
  await using backend = await startEchoBackend();
  const directory = directoryOf(backend.address);
  await using connector = await startConnectorProcess({ directory });
  await using first = await enter(connector.connect(alice));
  await using second = await enter(connector.connect(bob));
  // Far sooner than revalidate would: the change of the file is noticed.
  writeDirectory(connector.path("directory.db"), { ...directory, teams: [] });
  await withinDeadline(second.ending, "bob's session ends");
  const event = await connector.proxy.outcome("authorization_revoked");
  assert.equal(event.identity, "acme/bob");
  await alive(first);

  const next = await createAuthority({ commonName: "next root" });
  await Deno.writeTextFile(connector.path("ca.pem"), root.certPem + next.certPem);
  connector.proxy.process.signal("SIGHUP");
  const reloaded = "connector's certificates and lists reloaded";
  await eventually(() => connector.proxy.events(reloaded).length === 1, "the files are read");
  const renewed = await issueClient("acme", "alice", { authority: next });
  await using third = await enter(connector.connect(renewed));

  await Deno.writeTextFile(connector.path("ca.pem"), "half a certifi");
  connector.proxy.process.signal("SIGHUP");
  await eventually(
    () => connector.proxy.events().some(({ message }) => message?.includes("not reloaded")),
    "the broken file is reported",
  );
  await alive(first);
  await leave(first);
  await leave(third);
});

postgresTest("a change in PostgreSQL ends sessions in the workers at once", async () => {
  await using backend = await startEchoBackend();
  await using database = await startConnectorDatabase();
  await database.apply("notify.sql");
  const { hosts, teams, users } = directoryOf(backend.address);
  await database.fill({
    hosts: hosts.map((host) => ({ ...host, address: host.internalIpAddr })),
    teams,
    users,
  });
  await using connector = await startConnectorProcess({
    postgres: database.server,
    // Only a notification can be as quick as this test waits.
    connector: { revalidate: "1h" },
  });
  const listens = "connector listens for changes of its database";
  await eventually(() => connector.proxy.events(listens).length === 1, "it listens");
  await using first = await enter(connector.connect(alice));
  await using second = await enter(connector.connect(bob));
  await database.postgres.run("UPDATE teams SET user_ids = '{}'");
  await withinDeadline(second.ending, "bob's session ends");
  const event = await connector.proxy.outcome("authorization_revoked");
  assert.deepEqual([event.identity, event.reason], ["acme/bob", "access_revoked: not_listed"]);
  await alive(first);
  await leave(first);
  const printed = connector.proxy.process.lines.join("\n");
  assert.equal(printed.includes(database.server.password), false, "no password in the log");
});
