import assert from "node:assert/strict";
import { parseAuthorities } from "../../../lib/connector/mod.ts";
import { identifyPeer, presentedChain, recheckPeer } from "../../../lib/connector/peer.ts";
import { TrustMemory } from "../../../lib/connector/trust_memory.ts";
import { createAuthority, issueCertificate } from "../../support/certificates.ts";

const root = await createAuthority({ commonName: "root" });
const alice = await issueCertificate(root, { usages: ["client"] });
const raw = new Uint8Array(alice.cert.rawData);
const named = await issueCertificate(root, {
  usages: ["client"],
  uris: ["spiffe://e/orgs/acme/users/alice"],
});
const leafOfAlice = new Uint8Array(named.cert.rawData);
const authority = new Uint8Array(root.cert.rawData);

interface Presented {
  raw: Uint8Array;
  issuerCertificate?: Presented;
}

/** As node:tls tells of a leaf with `length - 1` more. */
function presented(length: number): Presented {
  let last: Presented | undefined;
  for (let i = 1; i < length; i++) {
    last = { raw: authority, ...last && { issuerCertificate: last } };
  }
  return { raw, ...last && { issuerCertificate: last } };
}

function recheck(length: number) {
  const peer = {
    authorized: true,
    authorizationError: undefined,
    getPeerCertificate: () => presented(length),
    isSessionReused: () => false,
  };
  const authorities = parseAuthorities([root.certPem]);
  return recheckPeer(peer, { authorities, revocationLists: undefined, nowMs: Date.now() });
}

Deno.test("a client may present 16 certificates and not one more", () => {
  assert.equal(recheck(16).ok, true);
  assert.deepEqual(recheck(17), {
    ok: false,
    reason: "untrusted",
    detail: "the chain is too long",
  });
});

Deno.test("identifyPeer() parses the leaf once: who it names is whose path is walked", () => {
  const peer = {
    authorized: true,
    authorizationError: undefined,
    // The second time it is no certificate.
    getPeerCertificate: (detailed: boolean) =>
      detailed
        ? { raw: new Uint8Array(9), issuerCertificate: { raw: authority } }
        : { raw: leafOfAlice },
    isSessionReused: () => false,
  };
  const trust = { authorities: parseAuthorities([root.certPem]), memory: new TrustMemory() };
  const result = identifyPeer(peer, { issuer: "e", nowMs: Date.now(), trust });
  assert.equal(result.ok && result.identity.userId, "alice");
});

Deno.test("presentedChain() ends at a root, at what is no certificate, and after 17 of any ring", () => {
  const self: Presented = { raw };
  self.issuerCertificate = self;
  assert.equal(presentedChain(self).length, 1);
  assert.equal(presentedChain({ raw, issuerCertificate: { raw: "text" } }).length, 1);
  const a: Presented = { raw };
  a.issuerCertificate = { raw: authority, issuerCertificate: a };
  assert.equal(presentedChain(a).length, 17);
});
