import "reflect-metadata";
import assert from "node:assert/strict";
import * as x509 from "@peculiar/x509";
import {
  checkRevocation,
  loadRevocationLists,
  type RevocationLists,
} from "../../../lib/connector/mod.ts";
import {
  type Authority,
  certificateOf,
  createAuthority,
  issueCertificate,
  type IssuedCertificate,
  issueRevocationList,
} from "../../support/certificates.ts";

const HOUR_MS = 3_600_000;
const NOW = Date.now();
const authority = await createAuthority({ commonName: "root" });
const alice = await issueLeaf(authority);
const bob = await issueLeaf(authority);

function issueLeaf(issuer: Authority): Promise<IssuedCertificate> {
  return issueCertificate(issuer, { commonName: "x", usages: ["client"] });
}

const bytesOf = (text: string) => new TextEncoder().encode(text);
const parsed = ({ cert }: IssuedCertificate) => certificateOf(new Uint8Array(cert.rawData));

function load(texts: string[], authorities: string[] = [authority.certPem]): RevocationLists {
  const result = loadRevocationLists(texts.map(bytesOf), { authorities, nowMs: NOW });
  assert.ok(result.ok, JSON.stringify(result));
  return result.lists;
}

function problem(file: Uint8Array, authorities: string[] = [authority.certPem]): string {
  const { problems, ignored, lists } = loadRevocationLists([file], { authorities, nowMs: NOW });
  const notes = [...problems, ...ignored];
  if (notes.length > 0) assert.equal(lists.size, 0, "nothing is taken of it");
  return notes.length === 0 ? "none" : notes.map(({ reason }) => reason).join();
}

const check = (lists: RevocationLists, chain: IssuedCertificate[], nowMs = NOW) =>
  checkRevocation(chain.map(parsed), { lists, nowMs });

Deno.test("checkRevocation() refuses the listed certificate and no other", async () => {
  const lists = load([await issueRevocationList(authority, [alice])]);
  assert.equal(check(lists, [alice, authority]), "revoked");
  assert.equal(check(lists, [bob, authority]), undefined);
});

Deno.test("checkRevocation() locks nobody out with an empty list, nor without a list", async () => {
  const lists = load([await issueRevocationList(authority, [])]);
  assert.equal(check(lists, [alice, authority]), undefined);
  const other = await createAuthority({ commonName: "other root" });
  assert.equal(check(lists, [await issueLeaf(other), other]), undefined);
  assert.equal(check(load([]), [alice]), undefined);
});

Deno.test("checkRevocation() refuses everyone of an issuer whose list has expired", async () => {
  const text = await issueRevocationList(authority, [alice], {
    thisUpdate: new Date(NOW - 2 * HOUR_MS),
    nextUpdate: new Date(NOW + HOUR_MS),
  });
  const lists = load([text]);
  assert.equal(check(lists, [bob], NOW + HOUR_MS - 1000), undefined);
  assert.equal(check(lists, [bob], NOW + HOUR_MS + 1000), "revocation_list_expired");
  assert.equal(check(lists, [alice], NOW + HOUR_MS + 1000), "revoked");
  const expired = await issueRevocationList(authority, [], {
    thisUpdate: new Date(NOW - 2 * HOUR_MS),
    nextUpdate: new Date(NOW - HOUR_MS),
  });
  assert.equal(check(load([expired]), [bob]), "revocation_list_expired");
});

Deno.test("checkRevocation() lets a fresh list beside an expired one count", async () => {
  const old = await issueRevocationList(authority, [alice], {
    thisUpdate: new Date(NOW - 2 * HOUR_MS),
    nextUpdate: new Date(NOW - HOUR_MS),
  });
  const lists = load([old, await issueRevocationList(authority, [])]);
  assert.equal(check(lists, [bob]), undefined);
  assert.equal(check(lists, [alice]), "revoked");
});

Deno.test("checkRevocation() refuses a leaf below a revoked intermediate", async () => {
  const intermediate = await createAuthority({ commonName: "intermediate", issuer: authority });
  const leaf = await issueLeaf(intermediate);
  const lists = load([await issueRevocationList(authority, [intermediate])]);
  assert.equal(check(lists, [leaf, intermediate, authority]), "revoked");
  assert.equal(check(lists, [leaf, bob, intermediate]), "revoked");
});

Deno.test("loadRevocationLists() reads several lists to a file, DER and several authorities", async () => {
  const second = await createAuthority({ commonName: "second" });
  const carol = await issueLeaf(second);
  const first = await issueRevocationList(authority, [alice]);
  const bundle = authority.certPem + second.certPem;
  const lists = load([`notes\n${first}${await issueRevocationList(second, [carol])}`], [bundle]);
  assert.equal(check(lists, [alice]), "revoked");
  assert.equal(check(lists, [carol]), "revoked");
  assert.equal(check(lists, [bob]), undefined);
  const der = new Uint8Array(x509.PemConverter.decodeFirst(first));
  assert.equal(problem(der), "none");
});

Deno.test("loadRevocationLists() takes a list only from an authority that signed it", async () => {
  const stranger = await createAuthority({ commonName: "stranger" });
  const namesake = await createAuthority({ commonName: "root" });
  const list = await issueRevocationList(stranger, [alice]);
  assert.match(problem(bytesOf(list)), /not among the authorities/);
  const forged = await issueRevocationList(namesake, [alice]);
  assert.match(problem(bytesOf(forged)), /no authority of that name signed it/);
  // Both keys of one name are known during a rotation.
  load([forged, await issueRevocationList(authority, [])], [authority.certPem, namesake.certPem]);
});

Deno.test("loadRevocationLists() ignores the list of an authority that is gone, and says so", async () => {
  const gone = await createAuthority({ commonName: "gone" });
  const lists = [await issueRevocationList(gone, [bob]), await issueRevocationList(authority, [])];
  const authorities = [authority.certPem];
  for (const files of [lists, [lists.join("\n")]]) {
    const result = loadRevocationLists(files.map(bytesOf), { authorities, nowMs: NOW });
    assert.ok(result.ok);
    assert.deepEqual(result.ignored.map(({ file }) => file), [0]);
    assert.equal(result.lists.size, 1, "the other list counts");
  }
});

Deno.test("loadRevocationLists() names every file that is broken", async () => {
  const good = await issueRevocationList(authority, [alice]);
  const files = [
    good,
    "",
    "-----BEGIN X509 CRL-----\n!!!\n-----END X509 CRL-----\n",
    good.slice(0, 200),
  ];
  const result = loadRevocationLists(files.map(bytesOf), {
    authorities: [authority.certPem],
    nowMs: NOW,
  });
  assert.deepEqual(!result.ok && result.problems.map(({ file }) => file), [1, 2, 3]);
});

Deno.test("loadRevocationLists() refuses partial, indirect and future lists", async () => {
  const make = async (extra: Partial<x509.X509CrlCreateParams>) => {
    const list = await x509.X509CrlGenerator.create({
      issuer: authority.cert.subjectName,
      thisUpdate: new Date(NOW - HOUR_MS),
      nextUpdate: new Date(NOW + HOUR_MS),
      signingAlgorithm: { name: "ECDSA", hash: "SHA-256" },
      signingKey: authority.keys.privateKey,
      ...extra,
    });
    return new Uint8Array(list.rawData);
  };
  assert.equal(problem(await make({})), "none");
  const partial = new x509.Extension("2.5.29.28", true, Uint8Array.of(0x30, 0));
  assert.match(problem(await make({ extensions: [partial] })), /2\.5\.29\.28 is unknown/);
  const number = new x509.Extension("2.5.29.20", false, Uint8Array.of(2, 1, 7));
  assert.equal(problem(await make({ extensions: [number] })), "none");
  assert.match(
    problem(await make({ thisUpdate: new Date(NOW + HOUR_MS) })),
    /not yet valid/,
  );
});

const ALGORITHMS: [string, Algorithm][] = [
  ["ECDSA P-384", named({ name: "ECDSA", namedCurve: "P-384", hash: "SHA-384" })],
  ["Ed25519", { name: "Ed25519" }],
  [
    "RSA",
    named({
      name: "RSASSA-PKCS1-v1_5",
      hash: "SHA-256",
      modulusLength: 2048,
      publicExponent: Uint8Array.of(1, 0, 1),
    }),
  ],
];

/** The parameters of one algorithm; each of them has a type of its own. */
function named<T extends Algorithm>(algorithm: T): Algorithm {
  return algorithm;
}

for (const [name, algorithm] of ALGORITHMS) {
  Deno.test(`loadRevocationLists() verifies ${name}`, async () => {
    const generated = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
    const keys = generated as CryptoKeyPair;
    const options = { signingAlgorithm: algorithm, signingKey: keys.privateKey };
    const ca = await x509.X509CertificateGenerator.createSelfSigned({
      name: "CN=other",
      keys,
      signingAlgorithm: algorithm,
    });
    const list = await x509.X509CrlGenerator.create({
      issuer: ca.subjectName,
      nextUpdate: new Date(NOW + HOUR_MS),
      thisUpdate: new Date(NOW - HOUR_MS),
      ...options,
    });
    const der = new Uint8Array(list.rawData);
    assert.equal(problem(der, [ca.toString("pem")]), "none");
    der[der.length - 1] = (der[der.length - 1] ?? 0) ^ 1;
    assert.match(problem(der, [ca.toString("pem")]), /signed it/);
  });
}
