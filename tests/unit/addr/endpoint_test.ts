import assert from "node:assert/strict";
import {
  endpointsOverlap,
  parseBackendEndpoint,
  parseListenEndpoint,
} from "../../../lib/addr/mod.ts";

Deno.test.each([
  [":443", ":443", true],
  [":443", ":444", false],
  [":0", ":0", false],
  [":443", "192.0.2.1:443", true],
  [":443", "[2001:db8::1]:443", true],
  ["[::]:443", "192.0.2.1:443", true],
  ["[::]:443", "[2001:db8::1]:443", true],
  ["0.0.0.0:443", "192.0.2.1:443", true],
  ["0.0.0.0:443", "[2001:db8::1]:443", false],
  ["0.0.0.0:443", "0.0.0.0:443", true],
  ["192.0.2.1:443", "192.0.2.1:443", true],
  ["192.0.2.1:443", "192.0.2.2:443", false],
  ["192.0.2.1:443", "192.0.2.1:8443", false],
  ["192.0.2.1:443", "[2001:db8::1]:443", false],
])("endpointsOverlap() of %s and %s is %j, in either order", (left, right, want) => {
  const a = parseListenEndpoint(left);
  const b = parseListenEndpoint(right);
  assert(a.ok && b.ok);
  assert.equal(endpointsOverlap(a.value, b.value), want);
  assert.equal(endpointsOverlap(b.value, a.value), want);
});

Deno.test.each([["[::1:443"], ["::1]:443"], ["[]:443"], ["[:443"], ["]:443"]])(
  "parseBackendEndpoint() and parseListenEndpoint() refuse half of the brackets in %s",
  (text) => {
    assert.equal(parseBackendEndpoint(text).ok, false);
    assert.equal(parseListenEndpoint(text).ok, false);
  },
);
