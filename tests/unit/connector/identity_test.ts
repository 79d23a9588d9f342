import assert from "node:assert/strict";
import { X509Certificate as NodeCertificate } from "node:crypto";
import "reflect-metadata";
import * as x509 from "@peculiar/x509";
import {
  type IdentityRefusal,
  parseCertificate,
  readIdentity,
} from "../../../lib/connector/mod.ts";
import {
  certificateOf,
  type CertificateOptions,
  createAuthority,
  issueCertificate,
  issueExpired,
  issueNotYetValid,
} from "../../support/certificates.ts";

const ISSUER = "tinyscale.com";
const ALICE = `spiffe://${ISSUER}/orgs/acme/users/alice`;
const authority = await createAuthority({ commonName: "test root" });

const derOf = (issued: { readonly cert: x509.X509Certificate }) =>
  new Uint8Array(issued.cert.rawData);
const issue = (options: Partial<CertificateOptions>) =>
  issueCertificate(authority, { usages: ["client"], ...options });
const identify = (der: Uint8Array, nowMs = Date.now()) =>
  readIdentity(certificateOf(der), { issuer: ISSUER, nowMs });

/** SubjectAltName from raw GeneralName octets; every name shorter than 128 octets. */
function rawNames(...names: [tag: number, text: string | Uint8Array][]): x509.Extension {
  const encoded = names.flatMap(([tag, text]) => {
    const octets = typeof text === "string" ? new TextEncoder().encode(text) : text;
    return [tag, octets.length, ...octets];
  });
  const length = encoded.length < 128 ? [encoded.length] : [0x81, encoded.length];
  return new x509.Extension("2.5.29.17", false, Uint8Array.of(0x30, ...length, ...encoded));
}

async function refusal(
  options: Partial<CertificateOptions>,
): Promise<IdentityRefusal | "accepted"> {
  const result = identify(derOf(await issue(options)));
  return result.ok ? "accepted" : result.reason;
}

Deno.test("readIdentity() reads who the certificate names", async () => {
  const issued = await issue({
    commonName: "Alice Müller",
    uris: [ALICE],
    dnsNames: ["a.example"],
  });
  const node = new NodeCertificate(issued.certPem);
  assert.deepEqual(identify(derOf(issued)), {
    ok: true,
    identity: {
      orgId: "acme",
      userId: "alice",
      spiffeId: ALICE,
      notAfter: issued.cert.notAfter.getTime(),
      fingerprint256: node.fingerprint256,
      commonName: "Alice Müller",
    },
  });
});

Deno.test("readIdentity() needs no common name and no extended key usage", async () => {
  const result = identify(derOf(await issue({ uris: [ALICE], usages: [] })));
  assert.ok(result.ok);
  assert.equal(result.identity.commonName, undefined);
});

Deno.test("readIdentity() counts URIs only: none and two are refused", async () => {
  assert.equal(await refusal({ uris: [] }), "no_uri");
  assert.equal(await refusal({ dnsNames: ["a.example"] }), "no_uri");
  assert.equal(await refusal({ uris: [ALICE, ALICE] }), "several_uris");
  assert.equal(await refusal({ uris: [ALICE, "https://example.com"] }), "several_uris");
  assert.equal(await refusal({ uris: ["https://example.com", ALICE] }), "several_uris");
});

Deno.test("readIdentity() refuses another issuer and malformed ids", async () => {
  const users = "orgs/acme/users/alice";
  assert.equal(await refusal({ uris: [`spiffe://evil.com/${users}`] }), "wrong_issuer");
  assert.equal(await refusal({ uris: [`spiffe://x.tinyscale.com/${users}`] }), "wrong_issuer");
  for (
    const uri of [
      `spiffe://TINYSCALE.com/${users}`,
      `spiffe://tinyscale.com./${users}`.replace("com.", "com:1"),
      `spiffe://tinyscale.com/${users}/`,
      `spiffe://tinyscale.com/${users}?a`,
      "spiffe://tinyscale.com/orgs/acme/users/%61lice",
      "spiffe://tinyscale.com/orgs/acme/users/a'--",
      "spiffe://tinyscale.com/orgs/acme",
      "https://tinyscale.com/orgs/acme/users/alice",
      `spiffe://tinyscale.com/orgs/acme/users/${"a".repeat(2048)}`,
    ]
  ) assert.equal(await refusal({ uris: [uri] }), "malformed_spiffe_id", uri.slice(0, 60));
});

Deno.test("readIdentity() sees through NUL, quotes, wide characters and other kinds of name", async () => {
  const encoder = new TextEncoder();
  const wide = Uint8Array.from([...ALICE].flatMap((c) => [0, c.charCodeAt(0)]));
  const tricks: [x509.Extension, IdentityRefusal][] = [
    [rawNames([0x86, `${ALICE}\0.evil.example`]), "malformed_spiffe_id"],
    [rawNames([0x86, `\0${ALICE}`]), "malformed_spiffe_id"],
    [rawNames([0x86, `${ALICE}, URI:spiffe://x/y`]), "malformed_spiffe_id"],
    [rawNames([0x86, `${ALICE}\n`]), "malformed_spiffe_id"],
    [rawNames([0x86, wide.subarray(0, 120)]), "malformed_spiffe_id"],
    [rawNames([0x86, encoder.encode(ALICE.replace("alice", "älice"))]), "malformed_spiffe_id"],
    // Kelvin sign, overlong and lone octets: nothing decodes to an ASCII letter.
    [rawNames([0x86, ALICE.replace("k", "\u212a") + "\u212a"]), "malformed_spiffe_id"],
    [rawNames([0x86, Uint8Array.of(...encoder.encode(ALICE), 0xc1, 0xa1)]), "malformed_spiffe_id"],
    [rawNames([0x86, ""]), "malformed_spiffe_id"],
    // The text of a URI in a DNS name, a mail address, a directory name, an other name.
    [rawNames([0x82, ALICE]), "no_uri"],
    [rawNames([0x81, ALICE]), "no_uri"],
    [rawNames([0x82, `a.example, URI:${ALICE}`]), "no_uri"],
    [rawNames([0x82, "a"], [0x86, ALICE], [0x86, "x"]), "several_uris"],
  ];
  for (const [extension, want] of tricks) {
    assert.equal(await refusal({ extensions: [extension] }), want, extension.toString("hex"));
  }
  // A URI that claims to be constructed, or a kind that does not exist.
  for (const names of [rawNames([0xa6, ALICE]), rawNames([0x89, ALICE], [0x86, ALICE])]) {
    assert.equal(parseCertificate(derOf(await issue({ extensions: [names] }))).ok, false);
  }
});

Deno.test("a second list of names makes no certificate", async () => {
  const twice = await issue({ uris: [ALICE], extensions: [rawNames([0x86, "spiffe://x/y"])] });
  assert.equal(parseCertificate(derOf(twice)).ok, false);
});

Deno.test("readIdentity() holds the validity period against the given clock, ends included", async () => {
  const options: CertificateOptions = { uris: [ALICE], usages: ["client"] };
  const now = identify(derOf(await issueExpired(authority, options)));
  assert.equal(!now.ok && now.reason, "expired");
  const early = identify(derOf(await issueNotYetValid(authority, options)));
  assert.equal(!early.ok && early.reason, "not_yet_valid");

  const der = derOf(
    await issue({ uris: [ALICE], notBefore: new Date(50_000), notAfter: new Date(90_000) }),
  );
  const at = (ms: number) => {
    const result = identify(der, ms);
    return result.ok ? "accepted" : result.reason;
  };
  assert.deepEqual([49_999, 50_000, 90_000, 90_001].map(at), [
    "not_yet_valid",
    "accepted",
    "accepted",
    "expired",
  ]);
});

Deno.test("readIdentity() refuses authorities and certificates for other uses", async () => {
  assert.equal(await refusal({ uris: [ALICE], usages: ["server"] }), "extended_key_usage");
  assert.equal(await refusal({ uris: [ALICE], usages: ["server", "client"] }), "accepted");
  const any = new x509.ExtendedKeyUsageExtension(["2.5.29.37.0"]);
  assert.equal(
    await refusal({ uris: [ALICE], usages: [], extensions: [any] }),
    "extended_key_usage",
  );
  const ca = identify(derOf(authority));
  assert.equal(!ca.ok && ca.reason, "authority_certificate");
  for (
    const [flags, want] of [
      [x509.KeyUsageFlags.digitalSignature, "accepted"],
      [x509.KeyUsageFlags.keyEncipherment, "key_usage"],
      [x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.keyCertSign, "key_usage"],
      [x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.cRLSign, "key_usage"],
    ] as const
  ) assert.equal(await leafWith(new x509.KeyUsagesExtension(flags, true)), want);
});

/** A certificate with exactly these extensions and ALICE. */
async function leafWith(extension: x509.Extension) {
  const cert = await x509.X509CertificateGenerator.createSelfSigned({
    name: "CN=x",
    keys: authority.keys,
    signingAlgorithm: { name: "ECDSA", hash: "SHA-256" },
    extensions: [
      extension,
      new x509.SubjectAlternativeNameExtension([{ type: "url", value: ALICE }]),
    ],
  });
  const result = identify(new Uint8Array(cert.rawData));
  return result.ok ? "accepted" : result.reason;
}

Deno.test("parseCertificate() agrees with node:crypto and with @peculiar/x509", async () => {
  const issued = await issue({ commonName: "a,b=c", uris: [ALICE], dnsNames: ["x.example"] });
  const parsed = parseCertificate(derOf(issued));
  assert.ok(parsed.ok);
  const { serial, issuer, subject, notBefore, notAfter, commonName, isAuthority } = parsed.value;
  // Deno prints serial numbers without a leading zero digit.
  const node = new NodeCertificate(issued.certPem);
  assert.equal(BigInt(`0x${serial}`), BigInt(`0x${node.serialNumber}`));
  assert.equal(issuer, new Uint8Array(issued.cert.issuerName.toArrayBuffer()).toHex());
  assert.equal(subject, new Uint8Array(issued.cert.subjectName.toArrayBuffer()).toHex());
  assert.deepEqual([notBefore, notAfter], [
    issued.cert.notBefore.getTime(),
    issued.cert.notAfter.getTime(),
  ]);
  assert.equal(commonName, "a,b=c");
  assert.equal(isAuthority, false);
  const root = parseCertificate(derOf(authority));
  assert.equal(root.ok && root.value.isAuthority, true);
});

Deno.test("parseCertificate() does not show control characters or long names", async () => {
  for (const commonName of ["a\nb", "a\0b", "a\u202eb", "x".repeat(300)]) {
    const parsed = parseCertificate(derOf(await issue({ commonName, uris: [ALICE] })));
    assert.ok(parsed.ok);
    assert.equal(parsed.value.commonName, undefined, JSON.stringify(commonName).slice(0, 20));
  }
});

Deno.test("parseCertificate() refuses every proper prefix, every suffix and BER", async () => {
  const der = derOf(await issue({ commonName: "a", uris: [ALICE] }));
  for (let length = 0; length < der.length; length++) {
    assert.equal(parseCertificate(der.subarray(0, length)).ok, false, `${length}`);
  }
  assert.equal(parseCertificate(Uint8Array.of(...der, 0)).ok, false);
  assert.equal(parseCertificate(new Uint8Array(70_000)).ok, false);
  // The outer length in four octets instead of two, and the indefinite form.
  const [, , high = 0, low = 0] = der;
  const body = der.subarray(4);
  assert.equal(parseCertificate(Uint8Array.of(0x30, 0x83, 0, high, low, ...body)).ok, false);
  assert.equal(parseCertificate(Uint8Array.of(0x30, 0x80, ...body, 0, 0)).ok, false);
});
