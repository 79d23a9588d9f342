import assert from "node:assert/strict";
import type { ConnectionEvent } from "../../lib/observe/mod.ts";
import { type Backend, startEchoBackend } from "../support/backends.ts";
import {
  createAuthority,
  issueCertificate,
  type IssuedCertificate,
  issueExpired,
  issueNotYetValid,
  issueRevocationList,
} from "../support/certificates.ts";
import { connectRaw } from "../support/clients.ts";
import { DOMAIN, issueClient, ISSUER, root, startConnector } from "../support/connector.ts";
import { type TestConnector } from "../support/connector.ts";
import { withinDeadline } from "../support/deadline.ts";
import { buildClientHello } from "../support/hello.ts";
import { loadRevocationLists } from "../../lib/connector/mod.ts";

const alice = await issueClient("acme", "alice");

/** What a client of the connector tries, and how it ends. */
interface Attempt {
  readonly client?: IssuedCertificate;
  readonly host?: string;
}

/** The one event of a connection that must be closed without a byte of the backend. */
async function refused(
  connector: TestConnector,
  { client, host = "web" }: Attempt,
): Promise<ConnectionEvent> {
  const index = connector.plane.events.length;
  const attempt = connector.connect(client, { host });
  // Names that are refused before the handshake reject it.
  const peer = await attempt.catch(() => undefined);
  if (peer !== undefined) {
    await using _peer = peer;
    await peer.write("GET / HTTP/1.1\r\n\r\n").catch(() => {});
    await withinDeadline(peer.ending, "the connection ends");
    assert.equal(peer.received.length, 0);
  }
  const event = await connector.plane.event(index);
  assert.equal(connector.plane.events.length, index + 1, "one event for one connection");
  assert.deepEqual([event.bytesIn, event.bytesOut], [0, 0]);
  return event;
}

async function withConnector(
  body: (connector: TestConnector, backend: Backend) => Promise<void>,
  options: Omit<Parameters<typeof startConnector>[0], "address"> = {},
): Promise<void> {
  await using backend = await startEchoBackend();
  await using connector = await startConnector({ address: backend.address, ...options });
  await body(connector, backend);
  assert.equal(backend.connections.length, 0, "nobody reached the backend");
}

Deno.test("a certificate that names nobody we know closes the connection, with its reason", async () => {
  const foreign = await createAuthority({ commonName: "client root" });
  const withUris = (...uris: string[]) =>
    issueCertificate(root, { commonName: "eve", uris, usages: ["client"] });
  const id = (path: string, issuer = ISSUER) => withUris(`spiffe://${issuer}/${path}`);
  const good = `spiffe://${ISSUER}/orgs/acme/users/alice`;
  const cases: readonly (readonly [string, IssuedCertificate | undefined])[] = [
    ["no_certificate", undefined],
    ["untrusted", await issueClient("acme", "alice", { authority: foreign })],
    ["expired", await issueExpired(root, { uris: [good], usages: ["client"] })],
    ["not_yet_valid", await issueNotYetValid(root, { uris: [good], usages: ["client"] })],
    ["wrong_issuer", await id("orgs/acme/users/alice", "evil.test")],
    ["wrong_issuer", await id("orgs/acme/users/alice", `sub.${ISSUER}`)],
    ["no_uri", await withUris()],
    ["several_uris", await withUris(good, good)],
    ["several_uris", await withUris(good, "https://example.com/")],
    ["malformed_spiffe_id", await withUris("https://example.com/")],
    ["malformed_spiffe_id", await id("orgs/acme/users/")],
    ["malformed_spiffe_id", await id("orgs/acme")],
    ["malformed_spiffe_id", await id("orgs/acme/users/alice/more")],
    ["malformed_spiffe_id", await id("orgs/../users/alice")],
    ["malformed_spiffe_id", await id("orgs/acme/users/al%2Fice")],
    ["malformed_spiffe_id", await id("orgs/acme/users/alice\0")],
    ["malformed_spiffe_id", await id("orgs/acme/users/alice?x=1")],
    ["malformed_spiffe_id", await id("orgs/acme/users/älice")],
    ["malformed_spiffe_id", await id("orgs/acme/users/a' OR '1'='1")],
    ["malformed_spiffe_id", await id(`orgs/acme/users/${"a".repeat(10_000)}`)],
    ["untrusted", await issueClient("acme", "alice", { usages: ["server"] })],
  ];
  await withConnector(async (connector) => {
    for (const [reason, client] of cases) {
      const event = await refused(connector, client ? { client } : {});
      assert.equal(event.outcome, "certificate_refused", reason);
      assert.equal(event.reason?.split(":", 1)[0], reason);
      assert.equal(event.identity, undefined);
    }
  });
});

Deno.test("a SAN with a NUL or with quoting tricks is refused from its DER", async () => {
  const tricks = [
    `spiffe://${ISSUER}/orgs/acme/users/alice\0.evil.test`,
    `spiffe://${ISSUER}/orgs/acme/users/alice", URI:"spiffe://x/orgs/acme/users/bob`,
    `spiffe://${ISSUER}/orgs/acme/users/alice, URI:spiffe://x`,
  ];
  await withConnector(async (connector) => {
    for (const uri of tricks) {
      const client = await issueCertificate(root, { uris: [uri], usages: ["client"] });
      const event = await refused(connector, { client });
      assert.equal(event.outcome, "certificate_refused");
      assert.match(event.reason ?? "", /^malformed_/);
    }
  });
});

Deno.test("a revoked certificate is refused", async () => {
  const list = new TextEncoder().encode(await issueRevocationList(root, [alice]));
  const loaded = loadRevocationLists([list], { authorities: [root.certPem], nowMs: Date.now() });
  assert.ok(loaded.ok);
  await withConnector(async (connector) => {
    const event = await refused(connector, { client: alice });
    assert.deepEqual([event.outcome, event.reason], ["certificate_refused", "revoked"]);
  }, { connector: { revocationLists: loaded.lists } });
});

Deno.test("who may not reach the host is closed, with the cause and the identity", async () => {
  const [carol, mallory, ghost, crossed] = [
    await issueClient("acme", "carol"),
    await issueClient("globex", "mallory"),
    await issueClient("acme", "ghost"),
    // A certificate of one organisation for a user of another.
    await issueClient("globex", "alice"),
  ];
  const cases: readonly (readonly [string, string, Attempt])[] = [
    ["unknown_host", "acme/alice", { client: alice, host: "nowhere" }],
    ["other_org", "acme/alice", { client: alice, host: "other" }],
    ["other_org", "globex/mallory", { client: mallory }],
    ["other_org", "globex/alice", { client: crossed }],
    ["not_listed", "acme/carol", { client: carol }],
    ["not_listed", "acme/alice", { client: alice, host: "empty" }],
    ["unknown_user", "acme/ghost", { client: ghost }],
  ];
  await withConnector(async (connector) => {
    for (const [cause, identity, attempt] of cases) {
      const event = await refused(connector, attempt);
      assert.deepEqual(
        [event.outcome, event.reason, event.identity, event.host],
        ["not_authorized", cause, identity, attempt.host ?? "web"],
      );
    }
  });
});

Deno.test("a NULL in the tables lets nobody in", async () => {
  await withConnector(async (connector) => {
    const { directory } = connector;
    directory.exec(`
      DROP TABLE backend_hosts;
      CREATE TABLE backend_hosts (connect_id TEXT PRIMARY KEY, internal_ip_addr TEXT, org_id TEXT,
        user_ids TEXT, team_ids TEXT, host_user TEXT);
      INSERT INTO backend_hosts VALUES
        ('web', NULL, 'acme', '["alice"]', '[]', NULL),
        ('noorg', '127.0.0.1:1', NULL, '["alice"]', '[]', NULL),
        ('nolists', '127.0.0.1:1', 'acme', NULL, NULL, NULL),
        ('nullmember', '127.0.0.1:1', 'acme', '[null]', '[null]', NULL);
    `);
    const want = { web: "unknown_host", noorg: "other_org", nolists: "not_listed" };
    for (const [host, cause] of Object.entries({ ...want, nullmember: "not_listed" })) {
      const event = await refused(connector, { client: alice, host });
      assert.deepEqual([event.outcome, event.reason], ["not_authorized", cause], host);
    }
  });
});

Deno.test("a server name that is no host of the domain is closed before the handshake", async () => {
  await withConnector(async (connector) => {
    const names = ["connect.test", "web.other.test", "a.b.connect.test", "webconnect.test"];
    for (const serverName of names) {
      const index = connector.plane.events.length;
      await using client = await connectRaw({ port: connector.plane.port });
      await client.write(buildClientHello({ serverName }));
      const { bytes, ending } = await client.readToEnd();
      assert.deepEqual([bytes.length, ending], [0, "reset"], serverName);
      assert.equal((await connector.plane.event(index)).outcome, "no_route", serverName);
    }
  });
});

Deno.test("host labels with unusual characters are asked about as they are, or refused", async () => {
  const hello = (label: string) => buildClientHello({ serverName: `${label}.${DOMAIN}` });
  await withConnector(async (connector) => {
    for (const label of ["-web", "web'", "web%", "*", "a".repeat(64)]) {
      const index = connector.plane.events.length;
      await using client = await connectRaw({ port: connector.plane.port });
      await client.write(hello(label));
      assert.equal((await client.readToEnd()).ending, "reset", label);
      const { outcome } = await connector.plane.event(index);
      assert.ok(["no_route", "hello_invalid"].includes(outcome), `${label}: ${outcome}`);
    }
  });
});

Deno.test("a handshake that is broken, stalls or is left is closed, with one event each", async () => {
  await withConnector(async (connector) => {
    const hello = buildClientHello({ serverName: `web.${DOMAIN}` });
    await using broken = await connectRaw({ port: connector.plane.port });
    await broken.write(hello);
    await broken.write(crypto.getRandomValues(new Uint8Array(600)));
    await withinDeadline(broken.ending, "the broken one ends");
    assert.equal((await connector.plane.event(0)).outcome, "tls_failed");

    await using left = await connectRaw({ port: connector.plane.port });
    await left.write(hello);
    left.reset();
    assert.ok(["client_gone", "tls_failed"].includes((await connector.plane.event(1)).outcome));
  });
});

Deno.test("a client that never finishes the handshake is closed at the deadline", async () => {
  await withConnector(async (connector) => {
    const { connect } = await import("node:tls");
    await using raw = await connectRaw({ port: connector.plane.port });
    const hello = await captureHello(connect);
    await raw.write(hello);
    await withinDeadline(raw.ending, "the deadline passes");
    assert.equal((await connector.plane.event()).outcome, "tls_timeout");
  }, { plane: { handshakes: { timeoutMs: 200 } } });
});

/** The ClientHello of a real client that a server would answer and then wait for. */
async function captureHello(connect: typeof import("node:tls").connect): Promise<Uint8Array> {
  const { createServer } = await import("node:net");
  const captured = Promise.withResolvers<Uint8Array>();
  const sink = createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", (chunk) => {
      captured.resolve(chunk as Uint8Array);
      socket.destroy();
    });
  });
  sink.listen(0, "127.0.0.1");
  await new Promise((resolve) => sink.once("listening", resolve));
  const { port } = sink.address() as { port: number };
  const client = connect({ port, host: "127.0.0.1", servername: `web.${DOMAIN}` });
  client.on("error", () => {});
  try {
    return await withinDeadline(captured.promise, "the hello arrives");
  } finally {
    client.destroy();
    await new Promise((resolve) => sink.close(resolve));
  }
}
