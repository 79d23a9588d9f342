import assert from "node:assert/strict";
import {
  formatEndpoint,
  parseBackendEndpoint,
  parseHostname,
  parseHostPattern,
  parseListenEndpoint,
  type Result,
} from "../../../lib/addr/mod.ts";

const valueOf = <T>(result: Result<T>): T | undefined => result.ok ? result.value : undefined;
const label63 = "a".repeat(63);
const name253 = `${label63}.${label63}.${label63}.${"b".repeat(61)}`;

Deno.test.each([
  ["Example.COM", "example.com"],
  ["example.com.", "example.com"],
  ["a", "a"],
  ["xn--bcher-kva.example", "xn--bcher-kva.example"],
  ["_acme.example_host.net", "_acme.example_host.net"],
  ["1.2.3.4.example", "1.2.3.4.example"],
  [name253, name253],
  [`${name253}.`, name253],
])("parseHostname() reads %s", (text, want) => {
  assert.equal(valueOf(parseHostname(text)), want);
});

Deno.test.each([
  [""],
  ["."],
  [".."],
  ["a..b"],
  [".a"],
  ["a.."],
  ["-a.b"],
  ["a-.b"],
  ["a b"],
  ["a\0.b"],
  ["ä.de"],
  ["*.a"],
  ["192.0.2.1"],
  ["::1"],
  ["[::1]"],
  ["a.123"],
  ["a/b"],
  ["a:1"],
  [`${label63}a.b`],
  [`${name253}c`],
  ["a\n"],
  ["a\u212a.example"],
])("parseHostname() refuses %j", (text) => {
  assert.equal(parseHostname(text).ok, false);
});

Deno.test("parseHostPattern() knows wildcards and refuses stars elsewhere", () => {
  assert.deepEqual(valueOf(parseHostPattern("*.Example.net.")), {
    wildcard: true,
    name: "example.net",
  });
  assert.deepEqual(valueOf(parseHostPattern("a.b")), { wildcard: false, name: "a.b" });
  for (const bad of ["*", "*.", "a.*.b", "*a.b", "*.*.b", "**.b"]) {
    assert.equal(parseHostPattern(bad).ok, false, bad);
  }
});

Deno.test("parseHostPattern() turns international names into A-labels and refuses broken ones", () => {
  assert.equal(valueOf(parseHostPattern("straße.例え.jp"))?.name, "xn--strae-oqa.xn--r8jz45g.jp");
  for (const bad of ["xn--a\u0080.de", "xn--zzzzzzzz99999.example", "ä/b", "ä@b", "ä:80", "ä b"]) {
    assert.equal(parseHostPattern(bad).ok, false, bad);
  }
});

Deno.test.each([
  [":443", ":443"],
  ["0.0.0.0:443", "0.0.0.0:443"],
  ["[::]:0", "[::]:0"],
  ["[::FFFF:1.2.3.4]:1", "1.2.3.4:1"],
  ["127.0.0.1:65535", "127.0.0.1:65535"],
])("parseListenEndpoint() reads %s as %s", (text, want) => {
  const endpoint = valueOf(parseListenEndpoint(text));
  assert(endpoint);
  assert.equal(formatEndpoint(endpoint), want);
});

Deno.test.each([
  [""],
  ["443"],
  [":"],
  [":65536"],
  [":0443"],
  [":-1"],
  ["::1:443"],
  ["[::1]"],
  ["localhost:443"],
  ["[127.0.0.1]:443"],
  ["*:443"],
  [":443 "],
  ["[::1]:443x"],
  ["[::1%lo]:443"],
])("parseListenEndpoint() refuses %j", (text) => {
  assert.equal(parseListenEndpoint(text).ok, false);
});

Deno.test("parseBackendEndpoint() takes names and addresses, and never port 0 or no host", () => {
  assert.deepEqual(valueOf(parseBackendEndpoint("Origin.internal:8443")), {
    host: "origin.internal",
    port: 8443,
  });
  assert.deepEqual(valueOf(parseBackendEndpoint("[::1]:1")), { host: "::1", port: 1 });
  for (const bad of [":443", "a:0", "a", "a:", "http://a:1", "a b:1", "[a]:1", "1.2.3:80"]) {
    assert.equal(parseBackendEndpoint(bad).ok, false, bad);
  }
});

Deno.test.each([
  ["::1", "an IP address is not a hostname"],
  ["192.0.2.1", "an IP address is not a hostname"],
  ["a b", "a character is not allowed in names"],
  ["a.123", "the last label is all digits"],
])("parseHostname() says of %s that %s", (text, reason) => {
  assert.deepEqual(parseHostname(text), { ok: false, reason });
});

Deno.test.each([
  ["a b.example", 'the character " " (a space) is not allowed in names'],
  ["a/b", 'the character "/" is not allowed in names'],
  ['a"b', "the character '\"' is not allowed in names"],
  ["a!b", 'the character "!" is not allowed in names'],
  ["a~b", 'the character "~" is not allowed in names'],
  // What moves the cursor or cannot be seen is written as a code point.
  ["a\tb", "the character U+0009 is not allowed in names"],
  ["a\u00a0b", "the character U+00A0 is not allowed in names"],
  ["a\u3000b", "the character U+3000 is not allowed in names"],
  // A letter of another script is not what is wrong.
  ["ä b.example", 'the character " " (a space) is not allowed in names'],
  ["a..b", "a label is empty"],
  ["a b!", 'the character " " (a space) is not allowed in names'],
])("parseHostPattern() says of %j: %s", (text, reason) => {
  assert.deepEqual(parseHostPattern(text), { ok: false, reason });
});

Deno.test("parseBackendEndpoint() shows a character of two UTF-16 units as one", () => {
  assert.deepEqual(parseBackendEndpoint("a\u{1f600}:1"), {
    ok: false,
    reason: "the character U+1F600 is not allowed in names",
  });
});
