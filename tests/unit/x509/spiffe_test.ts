import assert from "node:assert/strict";
import { parseSpiffeId, parseTrustDomain, parseUserSpiffeId } from "../../../lib/x509/mod.ts";
import { vectorTest } from "../../support/vectors.ts";

interface Vector {
  readonly uri: string;
  readonly valid: boolean;
  readonly "trust_domain"?: string;
  readonly path?: string;
  readonly divergent?: string;
}

const VECTORS = "spiffe/spiffe_ids.jsonl";

vectorTest<Vector>(VECTORS, "parseSpiffeId() agrees with every verdict", (vectors) => {
  for (const { uri, valid, trust_domain: trustDomain, path, divergent } of vectors) {
    if (divergent) continue;
    const result = parseSpiffeId(uri);
    assert.equal(result.ok, valid, uri);
    if (result.ok) assert.deepEqual(result.value, { trustDomain, path }, uri);
  }
});

vectorTest<Vector>(
  VECTORS,
  "parseSpiffeId() refuses where implementations differ",
  (vectors, origin) => {
    // Upper case in scheme or trust domain, a trust domain over 255 and an ID over 2,048 octets.
    const divergent = vectors.filter((vector) => vector.divergent);
    assert.equal(divergent.length, { others: 30, ours: 30 }[origin]);
    for (const { uri } of divergent) assert.equal(parseSpiffeId(uri).ok, false, uri);
  },
);

Deno.test("parseSpiffeId() bounds the trust domain and the whole", () => {
  const domain = "d".repeat(255);
  assert.equal(parseSpiffeId(`spiffe://${domain}/x`).ok, true);
  assert.equal(parseSpiffeId(`spiffe://${domain}d/x`).ok, false);
  const fill = "a".repeat(2048 - "spiffe://e/".length);
  assert.equal(parseSpiffeId(`spiffe://e/${fill}`).ok, true);
  assert.equal(parseSpiffeId(`spiffe://e/${fill}a`).ok, false);
});

Deno.test.each([
  ["spiffe://e:443/x"],
  ["spiffe://u@e/x"],
  ["spiffe://e/x?y"],
  ["spiffe://e/x#y"],
  ["spiffe://e?y"],
  ["spiffe://e/%61"],
  ["spiffe://e/a/./b"],
  ["spiffe://e/a/.."],
  ["spiffe://e/a\0"],
  ["spiffe://e/a\n"],
  ["spiffe://e\n"],
  ["spiffe://e/~"],
  [" spiffe://e/a"],
  ["spiffe://e/\u212a"],
  ["spiffe:///orgs"],
])("parseSpiffeId() refuses %j", (text) => {
  assert.equal(parseSpiffeId(text).ok, false);
});

Deno.test("parseUserSpiffeId() reads issuer, organisation and user", () => {
  assert.deepEqual(parseUserSpiffeId("spiffe://tinyscale.com/orgs/Acme-1/users/alice.b_2"), {
    ok: true,
    value: { issuer: "tinyscale.com", orgId: "Acme-1", userId: "alice.b_2" },
  });
});

Deno.test.each([
  ["spiffe://e"],
  ["spiffe://e/orgs/o"],
  ["spiffe://e/orgs/o/users"],
  ["spiffe://e/orgs/o/users/"],
  ["spiffe://e/orgs//users/u"],
  ["spiffe://e/orgs/o/users/u/admin"],
  ["spiffe://e/users/u/orgs/o"],
  ["spiffe://e/Orgs/o/users/u"],
  ["spiffe://e/orgs/o/teams/u"],
  ["spiffe://e/x/orgs/o/users/u"],
  ["spiffe://e/orgs/../users/u"],
])("parseUserSpiffeId() refuses %j", (text) => {
  assert.equal(parseUserSpiffeId(text).ok, false);
});

Deno.test("parseTrustDomain() takes a name and nothing around it", () => {
  assert.deepEqual(parseTrustDomain("tinyscale.com"), { ok: true, value: "tinyscale.com" });
  for (const text of ["", "a/b", "a/", "A", "spiffe://a", "a:1"]) {
    assert.equal(parseTrustDomain(text).ok, false, text);
  }
});
