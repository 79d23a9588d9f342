import assert from "node:assert/strict";
import { type ClientHello, parseClientHello } from "../../../lib/sni/mod.ts";
import { buildClientHello, type HelloOptions } from "../../support/hello.ts";

/** The decoded hello; fails the test with the reason if there is none. */
function parsed(options: HelloOptions): ClientHello {
  const bytes = buildClientHello(options);
  const hello = parseClientHello(bytes);
  assert.equal(hello.kind, "ok", hello.kind === "invalid" ? hello.reason : hello.kind);
  assert(hello.kind === "ok");
  assert.equal(hello.size, bytes.length);
  return hello.value;
}

/** Why the hello is refused; fails the test if it is not. */
function refusal(options: HelloOptions): string {
  const hello = parseClientHello(buildClientHello(options));
  assert(hello.kind === "invalid", `not refused but ${hello.kind}`);
  return hello.reason;
}

const label63 = "a".repeat(63);
const name253 = `${label63}.${label63}.${label63}.${"b".repeat(61)}`;

Deno.test.each([
  ["UPPER.Example.COM", "upper.example.com"],
  ["trailing.example.", "trailing.example"],
  ["xn--bcher-kva.example", "xn--bcher-kva.example"],
  ["_acme-challenge.example", "_acme-challenge.example"],
  ["a", "a"],
  ["1.2.3.4.example", "1.2.3.4.example"],
  ["0xa.example", "0xa.example"],
  [`${label63}.example`, `${label63}.example`],
  [name253, name253],
  [`${name253}.`, name253],
])("parseClientHello() gives the server name %s in canonical form", (sent, want) => {
  assert.equal(parsed({ serverName: sent }).serverName, want);
});

const REFUSED_NAMES: [string, string | Uint8Array, string][] = [
  ["empty", "", "the server name is no hostname: the name is empty"],
  ["only a dot", ".", "the server name is no hostname: the name is empty"],
  ["two trailing dots", "a.example..", "the server name is no hostname: a label is empty"],
  ["empty label", "a..example", "the server name is no hostname: a label is empty"],
  ["leading dot", ".example", "the server name is no hostname: a label is empty"],
  ["NUL inside", "good.example\0.evil.example", "the server name holds a NUL"],
  ["NUL at the end", "good.example\0", "the server name holds a NUL"],
  ["UTF-8", "bücher.example", "the server name is not ASCII"],
  ["octet 0x80", Uint8Array.of(0x61, 0x80), "the server name is not ASCII"],
  [
    "DEL",
    "a\x7f",
    "the server name is no hostname: a character is not allowed in names",
  ],
  ["Kelvin sign", "\u212Aelvin.example", "the server name is not ASCII"],
  ["Latin-1", Uint8Array.of(0x61, 0xe9, 0x2e, 0x62), "the server name is not ASCII"],
  ["IPv4", "192.0.2.1", "the server name is no hostname: an IP address is not a hostname"],
  ["IPv6", "2001:db8::1", "the server name is no hostname: an IP address is not a hostname"],
  ["short IPv4", "127.1", "the server name is no hostname: the last label is all digits"],
  ["a number", "0000", "the server name is no hostname: the last label is all digits"],
  [
    "IPv6 in brackets",
    "[::1]",
    "the server name is no hostname: a character is not allowed in names",
  ],
  [
    "with a port",
    "a.example:443",
    "the server name is no hostname: a character is not allowed in names",
  ],
  ["a space", "a b.example", "the server name is no hostname: a character is not allowed in names"],
  [
    "a line end",
    "a.example\r\n",
    "the server name is no hostname: a character is not allowed in names",
  ],
  [
    "a wildcard",
    "*.example",
    "the server name is no hostname: a character is not allowed in names",
  ],
  [
    "a path",
    "../etc/passwd",
    "the server name is no hostname: a character is not allowed in names",
  ],
  [
    "leading hyphen",
    "-a.example",
    "the server name is no hostname: a label starts or ends with a hyphen",
  ],
  [
    "label of 64",
    `${label63}a.example`,
    "the server name is no hostname: a label is over 63 characters",
  ],
  [
    "254 characters",
    `${name253}b`,
    "the server name is no hostname: the name is over 253 characters",
  ],
  ["255 octets", "a.".repeat(127) + "a", "the server name is over 253 octets"],
  ["16,000 octets", "a".repeat(16_000), "the server name is over 253 octets"],
];

Deno.test.each(REFUSED_NAMES)("parseClientHello() refuses a server name: %s", (_, sent, reason) => {
  assert.equal(refusal({ serverName: sent }), reason);
});

Deno.test("parseClientHello() accepts or refuses each single octet inside a name as a hostname does", () => {
  for (let octet = 0; octet < 256; octet++) {
    const sent = Uint8Array.of(0x61, octet, 0x61);
    const hello = parseClientHello(buildClientHello({ serverName: sent }));
    const allowed = /^[A-Za-z0-9._-]$/.test(String.fromCharCode(octet));
    assert.equal(hello.kind, allowed ? "ok" : "invalid", `octet ${octet}`);
  }
});

Deno.test("parseClientHello() skips entries of server_name with an unknown type", () => {
  const other = { type: 7, name: "not.a.host" };
  const host = { type: 0, name: "host.example" };
  assert.equal(parsed({ serverNames: [other, host] }).serverName, "host.example");
  assert.equal(parsed({ serverNames: [host, other] }).serverName, "host.example");
  assert.equal(parsed({ serverNames: [other] }).serverName, undefined);
});

Deno.test("parseClientHello() refuses two host names in server_name, even equal ones", () => {
  const name = (text: string) => ({ type: 0, name: text });
  const reason = "server_name lists two host names";
  assert.equal(refusal({ serverNames: [name("a.example"), name("b.example")] }), reason);
  assert.equal(refusal({ serverNames: [name("a.example"), name("a.example")] }), reason);
});
