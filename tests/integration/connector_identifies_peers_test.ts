import "reflect-metadata";
import assert from "node:assert/strict";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { connect, createServer, type TLSSocket } from "node:tls";
import {
  identifyPeer,
  loadRevocationLists,
  parseAuthorities,
  type RevocationLists,
  TrustMemory,
} from "../../lib/connector/mod.ts";
import {
  type Authority,
  createAuthority,
  createServerIdentity,
  issueCertificate,
  type IssuedCertificate,
  issueExpired,
  issueNotYetValid,
  issueRevocationList,
} from "../support/certificates.ts";

const ISSUER = "tinyscale.com";
const ALICE = { uris: [`spiffe://${ISSUER}/orgs/acme/users/alice`], usages: ["client"] } as const;
const root = await createAuthority({ commonName: "client root" });
const server = await createServerIdentity("host-1.connect.test");

type Client = { readonly certPem: string; readonly keyPem: string } | undefined;

/** One real handshake; what the server makes of the client. */
async function identify(
  client: Client,
  options: { authorities?: Authority[]; lists?: RevocationLists; version?: "TLSv1.2" } = {},
): Promise<string> {
  const ca = (options.authorities ?? [root]).map(({ certPem }) => certPem);
  const listener = createServer({
    cert: server.certPem,
    key: server.keyPem,
    ca,
    requestCert: true,
    rejectUnauthorized: false,
  });
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  const accepted = once(listener, "secureConnection");
  const socket = connect({
    port: (listener.address() as AddressInfo).port,
    host: "127.0.0.1",
    servername: "host-1.connect.test",
    ca: server.ca,
    ...options.version && { maxVersion: options.version },
    ...client && { cert: client.certPem, key: client.keyPem },
  });
  socket.on("error", () => {});
  try {
    const [peer]: [TLSSocket] = await accepted as [TLSSocket];
    peer.on("error", () => {});
    const result = identifyPeer(peer, {
      issuer: ISSUER,
      nowMs: Date.now(),
      trust: {
        authorities: parseAuthorities(ca),
        revocationLists: options.lists,
        memory: new TrustMemory(),
      },
    });
    peer.destroy();
    return result.ok ? result.identity.userId : result.reason;
  } finally {
    socket.destroy();
    listener.close();
    await once(listener, "close");
  }
}

Deno.test("the connector knows a client by its certificate under TLS 1.2 and 1.3", async () => {
  const alice = await issueCertificate(root, ALICE);
  assert.equal(await identify(alice), "alice");
  assert.equal(await identify(alice, { version: "TLSv1.2" }), "alice");
});

Deno.test("the connector tells apart why a client is refused", async () => {
  const foreign = await createAuthority({ commonName: "client root" });
  const other = { uris: ["spiffe://evil.com/orgs/acme/users/alice"], usages: ["client"] } as const;
  const cases: [Client, string][] = [
    [undefined, "no_certificate"],
    [await issueCertificate(foreign, ALICE), "untrusted"],
    [await issueExpired(root, ALICE), "expired"],
    [await issueNotYetValid(root, ALICE), "not_yet_valid"],
    [await issueCertificate(root, { ...ALICE, usages: ["server"] }), "untrusted"],
    [await issueCertificate(root, other), "wrong_issuer"],
    [await issueCertificate(root, { usages: ["client"] }), "no_uri"],
    [root, "authority_certificate"],
  ];
  for (const [client, want] of cases) assert.equal(await identify(client), want);
});

Deno.test("the connector follows intermediates and trusts two roots during a rotation", async () => {
  const intermediate = await createAuthority({ commonName: "intermediate", issuer: root });
  const next = await createAuthority({ commonName: "next root" });
  assert.equal(await identify(await issueCertificate(intermediate, ALICE)), "alice");
  const authorities = [root, next];
  assert.equal(await identify(await issueCertificate(root, ALICE), { authorities }), "alice");
  assert.equal(await identify(await issueCertificate(next, ALICE), { authorities }), "alice");
  assert.equal(await identify(await issueCertificate(next, ALICE)), "untrusted");
});

Deno.test("the connector refuses what a revocation list names, the intermediate included", async () => {
  const intermediate = await createAuthority({ commonName: "intermediate", issuer: root });
  const leaf = await issueCertificate(intermediate, ALICE);
  const alice = await issueCertificate(root, ALICE);
  const listing = async (...revoked: IssuedCertificate[]) => {
    const list = new TextEncoder().encode(await issueRevocationList(root, revoked));
    const loaded = loadRevocationLists([list], { authorities: [root.certPem], nowMs: Date.now() });
    assert.ok(loaded.ok);
    return { lists: loaded.lists };
  };
  assert.equal(await identify(alice, await listing()), "alice");
  assert.equal(await identify(leaf, await listing(alice)), "alice");
  assert.equal(await identify(alice, await listing(alice)), "revoked");
  assert.equal(await identify(leaf, await listing(intermediate)), "revoked");
});

Deno.test("node:tls still ignores the crl option, which is why lib/connector does not use it", async () => {
  const alice = await issueCertificate(root, ALICE);
  const listener = createServer({
    cert: server.certPem,
    key: server.keyPem,
    ca: root.certPem,
    crl: await issueRevocationList(root, [alice]),
    requestCert: true,
    rejectUnauthorized: false,
  });
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  const accepted = once(listener, "secureConnection");
  const { port } = listener.address() as AddressInfo;
  const socket = connect({
    port,
    host: "127.0.0.1",
    ca: server.ca,
    cert: alice.certPem,
    key: alice.keyPem,
    servername: "host-1.connect.test",
  });
  socket.on("error", () => {});
  const [peer] = await accepted as [TLSSocket];
  assert.equal(peer.authorized, true);
  peer.destroy();
  socket.destroy();
  listener.close();
  await once(listener, "close");
});
