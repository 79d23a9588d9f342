import assert from "node:assert/strict";
import { checkIssued } from "../../../lib/acme/mod.ts";
import {
  createAuthority,
  createServerIdentity,
  issueCertificate,
  issueExpired,
  issueMismatchedPair,
  issueNotYetValid,
} from "../../support/certificates.ts";

const names = ["a.example"];
const options = { dnsNames: names, usages: ["server"] } as const;
const root = await createAuthority({ commonName: "root" });
const good = await issueCertificate(root, options);
const other = await createServerIdentity("a.example");
const nowMs = Date.now();

Deno.test("checkIssued() takes a chain of the key that names all names, and says until when", () => {
  const { certPem, keyPem } = good;
  for (const chain of [certPem, certPem + root.certPem]) {
    const issued = checkIssued({ certPem: chain, keyPem }, { names, nowMs });
    assert.ok(issued.notBeforeMs <= nowMs && issued.notAfterMs > nowMs);
    assert.equal(issued.issuer, "root");
  }
});

for (
  const [what, pair, asked, reason] of [
    ["of another key", await issueMismatchedPair(root, options), names, /does not belong/],
    ["that ended", await issueExpired(root, options), names, /it ended at/],
    ["that begins tomorrow", await issueNotYetValid(root, options), names, /compare the clocks/],
    ["for another name", good, ["b.example"], /does not name b\.example/],
    ["for one name of two", good, ["a.example", "b.example"], /does not name b\.example/],
    ["for a name and not its wildcard", good, ["*.a.example"], /does not name \*\.a\.example/],
    ["with a chain of others", { ...good, certPem: good.certPem + other.ca }, names, /not signed/],
    [
      "with a chain that is cut off",
      {
        ...good,
        certPem: `${good.certPem}-----BEGIN CERTIFICATE-----\nMII`,
      },
      names,
      /is cut off/,
    ],
    ["that is none", { ...good, certPem: "" }, names, /is missing/],
  ] as const
) {
  Deno.test(`checkIssued() refuses a certificate ${what}`, () => {
    assert.throws(() => checkIssued(pair, { names: asked, nowMs }), {
      code: "malformed",
      message: reason,
    });
  });
}
