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

Deno.test.each([
  // A URL, and what was probably meant.
  ["http://a.example", 'it is a URL, not host:port; did you mean "a.example:80"?'],
  ["http://a.example:8080/x", 'it is a URL, not host:port; did you mean "a.example:8080"?'],
  [
    "https://A.example/x",
    'it is a URL, not host:port; did you mean "a.example:443" and backend_tls = true?',
  ],
  [
    "WSS://[::1]:8443?x",
    'it is a URL, not host:port; did you mean "[::1]:8443" and backend_tls = true?',
  ],
  ["https:///x", "it is a URL, not host:port"],
  ["http://a b/", "it is a URL, not host:port"],
  // Each part that can be wrong.
  ["a.example", "the port is missing"],
  ["a.example:", "the port is not a number"],
  ["a.example:0", "the port is not in 1–65535"],
  ["a.example:65536", "the port is not in 1–65535"],
  ["a.example:100000", "the port is not in 1–65535"],
  [":443", "the host is missing"],
  ["::1]:443", "an IPv6 address needs brackets"],
  ["[::1:443", "an IPv6 address needs brackets"],
  ["[192.0.2.1]:443", "only an IPv6 address takes brackets"],
  ["a_b!.example:1", 'the character "!" is not allowed in names'],
])("parseBackendEndpoint() says of %s: %s", (text, reason) => {
  assert.deepEqual(parseBackendEndpoint(text), { ok: false, reason });
});

Deno.test.each([
  [":65536", "the port is not in 0–65535"],
  [":100000", "the port is not in 0–65535"],
  ["localhost:1", "the host is not an IP address or empty"],
])("parseListenEndpoint() says of %s: %s", (text, reason) => {
  assert.deepEqual(parseListenEndpoint(text), { ok: false, reason });
});
