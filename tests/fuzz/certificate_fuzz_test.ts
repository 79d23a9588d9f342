import "reflect-metadata";
import assert from "node:assert/strict";
import * as x509 from "@peculiar/x509";
import { loadRevocationLists, parseCertificate, readIdentity } from "../../lib/connector/mod.ts";
import { createAuthority, issueCertificate, issueRevocationList } from "../support/certificates.ts";
import { fuzzTest, mutate } from "../support/fuzz.ts";

const ROUNDS = 4_000;
const NOW = Date.now();
const authority = await createAuthority({ commonName: "root" });
const issued = await issueCertificate(authority, {
  commonName: "alice",
  uris: ["spiffe://e/orgs/o/users/u"],
  usages: ["client"],
});
const certificate = new Uint8Array(issued.cert.rawData);
const list = new Uint8Array(
  x509.PemConverter.decodeFirst(await issueRevocationList(authority, [issued])),
);

fuzzTest("parseCertificate() and readIdentity() never throw, whatever the octets", (random) => {
  for (let round = 0; round < ROUNDS; round++) {
    const mutated = mutate(certificate, random);
    const parsed = parseCertificate(mutated);
    const identity = readIdentity(mutated, { issuer: "e", nowMs: NOW });
    if (identity.ok) assert.ok(parsed.ok);
  }
});

fuzzTest("loadRevocationLists() takes no list of which an octet has changed", (random) => {
  for (let round = 0; round < ROUNDS; round++) {
    const mutated = mutate(list, random);
    const options = { authorities: [authority.certPem], nowMs: NOW };
    const same = mutated.toHex() === list.toHex();
    const { ok, lists } = loadRevocationLists([mutated], options);
    assert.equal(ok && lists.size > 0, same, mutated.toHex());
  }
});
