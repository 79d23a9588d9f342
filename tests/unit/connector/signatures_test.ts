/** Signatures: which algorithms are verified, and how many of a chain. */
import "reflect-metadata";
import assert from "node:assert/strict";
import * as x509 from "@peculiar/x509";
import { checkTrust, parseAuthorities, TrustMemory } from "../../../lib/connector/mod.ts";
import { type Authority, certificateOf, createAuthority } from "../../support/certificates.ts";
import { runCommand, testWithCommands } from "../../support/commands.ts";
import { below, HOUR_MS, NOW, root, trust } from "../../support/trusting.ts";

/** Counts the signatures that it is asked about. */
class Counting extends TrustMemory {
  asked = 0;
  override isSignedBy(...args: Parameters<TrustMemory["isSignedBy"]>): boolean {
    this.asked++;
    return super.isSignedBy(...args);
  }
}

Deno.test("checkTrust() goes once around authorities that have signed each other", async () => {
  const a = await createAuthority({ commonName: "a" });
  const b = await createAuthority({ commonName: "b", issuer: a });
  const back = await createAuthority({ commonName: "a", keys: a.keys, issuer: b });
  const memory = new Counting();
  assert.equal(trust([await below(a), back, b], { memory }), "untrusted");
  assert.equal(memory.asked, 2);
});

Deno.test("checkTrust() verifies a bounded number of signatures, whatever the chain", async () => {
  // Fifteen authorities of one name: without a bound they multiply.
  const crowd: Authority[] = [];
  for (let i = 0; i < 15; i++) crowd.push(await createAuthority({ commonName: "root" }));
  const [first] = crowd;
  assert.ok(first);
  const memory = new Counting();
  const other = await createAuthority({ commonName: "other" });
  assert.equal(
    trust([await below(first), ...crowd], { authorities: [other], memory }),
    "untrusted",
  );
  assert.ok(memory.asked <= 12, `${memory.asked} signatures`);
});

const ALGORITHMS:
  readonly (readonly [string, EcKeyGenParams | RsaHashedKeyGenParams | Algorithm])[] = [
    ["P-384", { name: "ECDSA", namedCurve: "P-384", hash: "SHA-384" } as EcKeyGenParams],
    ["Ed25519", { name: "Ed25519" }],
    ["RSA", rsa("RSASSA-PKCS1-v1_5", "SHA-256")],
    ["RSA with SHA-512", rsa("RSASSA-PKCS1-v1_5", "SHA-512")],
    ["RSASSA-PSS", { ...rsa("RSA-PSS", "SHA-256"), saltLength: 32 } as RsaHashedKeyGenParams],
  ];

function rsa(name: string, hash: string): RsaHashedKeyGenParams {
  return { name, hash, modulusLength: 2048, publicExponent: Uint8Array.of(1, 0, 1) };
}

for (const [name, algorithm] of ALGORITHMS) {
  Deno.test(`checkTrust() verifies signatures of ${name}`, async () => {
    const keys = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
    const { privateKey, publicKey } = keys as CryptoKeyPair;
    const validity = { notBefore: new Date(NOW - HOUR_MS), notAfter: new Date(NOW + HOUR_MS) };
    const subject = new x509.Name([{ CN: [{ utf8String: name }] }]);
    const common = { signingAlgorithm: algorithm, signingKey: privateKey, ...validity };
    const authority = await x509.X509CertificateGenerator.create({
      ...common,
      serialNumber: "01",
      subject,
      issuer: subject,
      publicKey,
      extensions: [new x509.BasicConstraintsExtension(true)],
    } as x509.X509CertificateCreateParams);
    const leaf = await x509.X509CertificateGenerator.create({
      ...common,
      serialNumber: "02",
      issuer: subject,
      publicKey: root.keys.publicKey,
    } as x509.X509CertificateCreateParams);
    const der = new Uint8Array(leaf.rawData);
    const authorities = parseAuthorities([authority.toString("pem")]);
    assert.deepEqual(checkTrust([certificateOf(der)], { authorities, nowMs: NOW }).ok, true);
    der[der.length - 1] = (der.at(-1) ?? 0) ^ 1;
    assert.deepEqual(checkTrust([certificateOf(der)], { authorities, nowMs: NOW }).ok, false);
  });
}

/** What openssl makes, whose DER of RSASSA-PSS differs from that of others. */
const OPENSSL_KEYS: readonly (readonly [string, readonly string[], boolean])[] = [
  ["P-521", ["ec", "-pkeyopt", "ec_paramgen_curve:secp521r1", "-sha512"], true],
  [
    "RSASSA-PSS",
    ["rsa:2048", "-sha384", "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:48"],
    true,
  ],
  ["RSA with SHA-1", ["rsa:2048", "-sha1"], false],
];

for (const [name, key, want] of OPENSSL_KEYS) {
  testWithCommands(["openssl"], `checkTrust() and ${name} of openssl`, async () => {
    const { stdout } = await runCommand("openssl", [
      ...["req", "-x509", "-nodes", "-keyout", "/dev/null", "-days", "1", "-subj", "/CN=self"],
      ...["-newkey", ...key],
    ]);
    const authorities = parseAuthorities([stdout]);
    const der = new x509.X509Certificate(stdout).rawData;
    const result = checkTrust([certificateOf(new Uint8Array(der))], {
      authorities,
      nowMs: Date.now() + 1000,
    });
    assert.equal(result.ok, want);
  });
}
