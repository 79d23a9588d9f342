import assert from "node:assert/strict";
import { editDistance, suggest } from "../../../lib/schema/suggest.ts";

Deno.test.each([
  ["", "", 0],
  ["", "abc", 3],
  ["abc", "", 3],
  ["abc", "abc", 0],
  ["abc", "acb", 1],
  ["abc", "ab", 1],
  ["abc", "abcd", 1],
  ["abc", "abd", 1],
  ["abc", "cba", 2],
  ["ca", "abc", 3],
  ["kitten", "sitting", 3],
])("editDistance() of %j and %j is %d", (a, b, want) => {
  assert.equal(editDistance(a, b), want);
  assert.equal(editDistance(b, a), want);
});

Deno.test.each([
  ["l5", ["l4", "l7", "mtls"], "l4"],
  ["MTLS", ["l4", "l7", "mtls"], "mtls"],
  ["conect_timeout", ["connect_timeout", "idle_timeout"], "connect_timeout"],
  ["hostnmae", ["hostname", "backend"], "hostname"],
  ["tls_crt", ["tls_cert", "tls_key"], "tls_cert"],
  ["tls_key", ["tls_cert", "tls_key"], "tls_key"],
  ["bakend_tls", ["backend", "backend_tls"], "backend_tls"],
  ["colour", ["level", "format"], undefined],
  ["", ["l4"], undefined],
  ["x".repeat(1_000_000), ["l4"], undefined],
  ["l4", [], undefined],
])("suggest() finds what %j was meant to be", (given, candidates, want) => {
  assert.equal(suggest(given, candidates), want);
});
