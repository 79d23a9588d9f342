/** What is believed of a peer whose handshake is over, and of one that resumes a session. */
import "reflect-metadata";
import assert from "node:assert/strict";
import * as x509 from "@peculiar/x509";
import {
  identifyPeer,
  parseAuthorities,
  type TlsPeer,
  TrustMemory,
} from "../../../lib/connector/mod.ts";
import { createAuthority } from "../../support/certificates.ts";
import { below, derOf, HOUR_MS, ISSUER, NOW, root } from "../../support/trusting.ts";

/** What node:tls says of a peer. */
function peerOf(
  chain: readonly { cert: x509.X509Certificate }[],
  { resumed, authorized = true }: { resumed: boolean; authorized?: boolean },
  asked: boolean[] = [],
): TlsPeer {
  let certificate: unknown;
  for (const link of chain.toReversed()) {
    certificate = {
      raw: derOf(link),
      ...certificate !== undefined && { issuerCertificate: certificate },
    };
  }
  return {
    authorized,
    authorizationError: null,
    getPeerCertificate: (detailed) => {
      asked.push(detailed);
      return detailed ? certificate : { raw: (certificate as { raw?: Uint8Array })?.raw };
    },
    isSessionReused: () => resumed,
  };
}

Deno.test("identifyPeer() believes a resumed session only with a leaf that TLS has verified", async () => {
  const memory = new TrustMemory();
  const leaf = await below(root);
  const identify = (resumed: boolean, authorized = true) => {
    const result = identifyPeer(peerOf([leaf], { resumed, authorized }), {
      issuer: ISSUER,
      nowMs: NOW,
      trust: { authorities: parseAuthorities([root.certPem]), memory },
    });
    return result.ok ? result.identity.userId : `${result.reason}: ${result.detail}`;
  };
  const unknown = "untrusted: no handshake has verified what it resumes";
  assert.equal(identify(true), unknown);
  assert.equal(identify(false, false), "untrusted: undefined", "TLS refused it");
  assert.equal(identify(true), unknown);
  assert.equal(identify(false), "alice");
  assert.equal(identify(true), "alice");
});

Deno.test("identifyPeer() ends an identity with the first certificate of its path", async () => {
  const ends = new Date(Math.floor(NOW / 1000) * 1000 + HOUR_MS);
  const brief = await createAuthority({ commonName: "brief", notAfter: ends });
  const result = identifyPeer(peerOf([await below(brief)], { resumed: false }), {
    issuer: ISSUER,
    nowMs: NOW,
    trust: { authorities: parseAuthorities([brief.certPem]), memory: new TrustMemory() },
  });
  assert.ok(result.ok);
  assert.equal(result.identity.notAfter, ends.getTime());
});

Deno.test("identifyPeer() reads the chain only of a client that TLS has verified", async () => {
  const leaf = await below(root);
  const trust = { authorities: parseAuthorities([root.certPem]), memory: new TrustMemory() };
  const asked: boolean[] = [];
  for (const state of [{ resumed: false, authorized: false }, { resumed: true }]) {
    identifyPeer(peerOf([leaf], state, asked), { issuer: ISSUER, nowMs: NOW, trust });
  }
  assert.deepEqual(asked, [false, false]);
  const known = peerOf([leaf], { resumed: false }, asked);
  assert.ok(identifyPeer(known, { issuer: ISSUER, nowMs: NOW, trust }).ok);
  assert.deepEqual(asked, [false, false, false, true]);
});

Deno.test("TrustMemory forgets the leaf that was not seen for the longest time", () => {
  const memory = new TrustMemory();
  const leafOf = (i: number) => new Uint8Array(new Uint32Array([i]).buffer);
  for (let i = 0; i < 65_536; i++) memory.addLeaf(leafOf(i));
  assert.ok(memory.knowsLeaf(leafOf(0)), "and is kept by being asked for");
  memory.addLeaf(leafOf(65_536));
  assert.equal(memory.knowsLeaf(leafOf(1)), false);
  assert.deepEqual([0, 2, 65_536].map((i) => memory.knowsLeaf(leafOf(i))), [true, true, true]);
});
