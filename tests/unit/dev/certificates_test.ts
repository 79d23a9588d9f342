import assert from "node:assert/strict";
import { createPrivateKey, X509Certificate } from "node:crypto";
import {
  createAuthority,
  importAuthority,
  issueCertificate,
  issueRevocationList,
} from "../../../dev/certificates.ts";

const leafOptions = {
  commonName: "leaf, CN=not a second name",
  dnsNames: ["one.localhost", "*.two.localhost"],
  uris: ["spiffe://example.com/orgs/a/users/b"],
  ipAddresses: ["127.0.0.1", "::1"],
  usages: ["server", "client"],
} as const;

Deno.test("issueCertificate() makes a pair that another implementation accepts", async () => {
  const authority = await createAuthority({ commonName: "test root" });
  const { certPem, keyPem } = await issueCertificate(authority, leafOptions);
  const cert = new X509Certificate(certPem);
  const root = new X509Certificate(authority.certPem);
  assert.ok(root.ca);
  assert.ok(!cert.ca);
  assert.ok(cert.checkIssued(root));
  assert.ok(cert.verify(root.publicKey));
  assert.ok(cert.checkPrivateKey(createPrivateKey(keyPem)));
  assert.equal(
    cert.subjectAltName,
    "DNS:one.localhost, DNS:*.two.localhost, URI:spiffe://example.com/orgs/a/users/b, " +
      "IP Address:127.0.0.1, IP Address:::1",
  );
});

Deno.test("issueCertificate() keeps the validity period and key it is given", async () => {
  const authority = await createAuthority({ commonName: "test root" });
  const { keys } = await issueCertificate(authority, { usages: [] });
  const notBefore = new Date("2001-02-03T04:05:06Z");
  const notAfter = new Date("2002-02-03T04:05:06Z");
  const issued = await issueCertificate(authority, { usages: [], keys, notBefore, notAfter });
  assert.deepEqual(issued.cert.notBefore, notBefore);
  assert.deepEqual(issued.cert.notAfter, notAfter);
  assert.equal(issued.keys, keys);
});

Deno.test("issueCertificate() below an intermediate carries the chain without the root", async () => {
  const root = await createAuthority({ commonName: "test root" });
  const intermediate = await createAuthority({ commonName: "intermediate", issuer: root });
  const { certPem } = await issueCertificate(intermediate, leafOptions);
  assert.equal(certPem.match(/BEGIN CERTIFICATE/g)?.length, 2);
  assert.ok(certPem.endsWith(intermediate.certPem));
  assert.ok(
    new X509Certificate(intermediate.certPem).checkIssued(new X509Certificate(root.certPem)),
  );
});

Deno.test("importAuthority() issues certificates that the stored authority signed", async () => {
  const { certPem, keyPem } = await createAuthority({ commonName: "test root" });
  const restored = await importAuthority(certPem, keyPem);
  const issued = await issueCertificate(restored, leafOptions);
  assert.ok(new X509Certificate(issued.certPem).verify(new X509Certificate(certPem).publicKey));
});

Deno.test("issueRevocationList() makes a list in PEM", async () => {
  const authority = await createAuthority({ commonName: "test root" });
  const issued = await issueCertificate(authority, leafOptions);
  const pem = await issueRevocationList(authority, [issued]);
  assert.match(pem, /^-----BEGIN X509 CRL-----\n/);
});
