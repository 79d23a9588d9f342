import assert from "node:assert/strict";
import { formatIp } from "../../../lib/addr/mod.ts";
import { parseProxyHeader, type SocketAddress } from "../../../lib/proxyproto/mod.ts";

const octets = (text: string): Uint8Array => Uint8Array.from(text, (c) => c.charCodeAt(0));
const show = (end: SocketAddress | undefined) => end && `${formatIp(end.ip)} ${end.port}`;

function reasonFor(text: string): string {
  const header = parseProxyHeader(octets(text));
  assert(header.kind === "invalid", `not refused but ${header.kind}`);
  return header.reason;
}

const IPV6 = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
const WORST_CASE = `PROXY UNKNOWN ${IPV6} ${IPV6} 65535 65535\r\n`;

Deno.test.each([
  ["TCP4 192.0.2.7 198.51.100.1 50000 443", "192.0.2.7 50000", "198.51.100.1 443"],
  ["TCP4 0.0.0.0 255.255.255.255 0 65535", "0.0.0.0 0", "255.255.255.255 65535"],
  ["TCP4 240.0.0.1 192.0.2.1 1 2", "240.0.0.1 1", "192.0.2.1 2"],
  ["TCP6 2001:DB8::A ::1 1 2", "2001:db8::a 1", "::1 2"],
  [`TCP6 ${IPV6} ${IPV6} 65535 65535`, `${IPV6} 65535`, `${IPV6} 65535`],
  ["TCP6 ::ffff:192.0.2.7 ::ffff:c633:6401 1 2", "192.0.2.7 1", "198.51.100.1 2"],
  ["UNKNOWN", undefined, undefined],
  ["UNKNOWN ", undefined, undefined],
  ["UNKNOWN 192.0.2.7 nonsense \0\xff", undefined, undefined],
])("parseProxyHeader() reads the v1 line %s", (line, source, destination) => {
  const whole = `PROXY ${line}\r\n`;
  const header = parseProxyHeader(octets(`${whole}GET /`));
  assert(header.kind === "ok", header.kind === "invalid" ? header.reason : header.kind);
  assert.equal(header.size, whole.length);
  assert.equal(header.value.version, 1);
  assert.equal(header.value.command, "proxy");
  assert.deepEqual(header.value.tlvs, []);
  assert.equal(show(header.value.source), source);
  assert.equal(show(header.value.destination), destination);
});

const ADDRESS = "a v1 header has an address that its protocol does not allow";
const PORT = "a v1 header has a port that is not 0–65535 without leading zeroes";
const FIELDS = "a v1 header does not have four fields after its protocol";
const PROTOCOL = "a v1 header names no known protocol";
const LONE = "a v1 header has a CR or LF alone";

Deno.test.each([
  ["TCP4 1..2.3 192.0.2.1 1 2", ADDRESS],
  ["TCP4 01.2.3.4 192.0.2.1 1 2", ADDRESS],
  ["TCP4 0x7f.0.0.1 192.0.2.1 1 2", ADDRESS],
  ["TCP4 256.1.1.1 192.0.2.1 1 2", ADDRESS],
  ["TCP4 ::1 ::1 1 2", ADDRESS],
  ["TCP4 ::ffff:192.0.2.7 192.0.2.1 1 2", ADDRESS],
  ["TCP4 host.example 192.0.2.1 1 2", ADDRESS],
  ["TCP6 192.0.2.7 ::1 1 2", ADDRESS],
  ["TCP6 ::1 192.0.2.7 1 2", ADDRESS],
  ["TCP6 fe80::1%eth0 ::1 1 2", ADDRESS],
  ["TCP6 [::1] ::1 1 2", ADDRESS],
  ["TCP4 1.2.3.4 5.6.7.8 080 443", PORT],
  ["TCP4 1.2.3.4 5.6.7.8 00 443", PORT],
  ["TCP4 1.2.3.4 5.6.7.8 65536 443", PORT],
  ["TCP4 1.2.3.4 5.6.7.8 443 99999", PORT],
  ["TCP4 1.2.3.4 5.6.7.8 443 100000", PORT],
  ["TCP4 1.2.3.4 5.6.7.8 +80 443", PORT],
  ["TCP4 1.2.3.4 5.6.7.8 -1 443", PORT],
  ["TCP4 1.2.3.4 5.6.7.8 1e3 443", PORT],
  ["TCP4 1.2.3.4 5.6.7.8  443", PORT],
  ["TCP4 1.2.3.4 5.6.7.8 80", FIELDS],
  ["TCP4 1.2.3.4 5.6.7.8 80 443 ", FIELDS],
  ["TCP4 1.2.3.4 5.6.7.8 80 443 more", FIELDS],
  ["TCP4  1.2.3.4 5.6.7.8 80 443", FIELDS],
  ["TCP4", FIELDS],
  ["TCP4\t1.2.3.4 5.6.7.8 80 443", PROTOCOL],
  ["", PROTOCOL],
  [" TCP4 1.2.3.4 5.6.7.8 80 443", PROTOCOL],
  ["tcp4 1.2.3.4 5.6.7.8 80 443", PROTOCOL],
  ["UDP4 1.2.3.4 5.6.7.8 80 443", PROTOCOL],
  ["TCP5 1.2.3.4 5.6.7.8 80 443", PROTOCOL],
  ["UNKNOWNX", PROTOCOL],
  ["UNKN", PROTOCOL],
])("parseProxyHeader() refuses the v1 line %s", (line, reason) => {
  assert.equal(reasonFor(`PROXY ${line}\r\n`), reason);
});

Deno.test.each([
  ["LF alone", "PROXY UNKNOWN\n", LONE],
  ["CR alone", "PROXY UNKNOWN\rX", LONE],
  ["CR CR LF", "PROXY UNKNOWN\r\r\n", LONE],
  ["LF at once", "PROXY \n", LONE],
  ["no space", "PROXY\r\n", 'a v1 header does not begin with "PROXY "'],
  ["lower case", "Proxy UNKNOWN\r\n", 'a v1 header does not begin with "PROXY "'],
  ["a tab", "PROXY\tUNKNOWN\r\n", 'a v1 header does not begin with "PROXY "'],
  ["an HTTP method", "POST / HTTP/1.1\r\n", 'a v1 header does not begin with "PROXY "'],
])("parseProxyHeader() refuses a v1 line with %s", (_, text, reason) => {
  assert.equal(reasonFor(text), reason);
});

Deno.test("parseProxyHeader() takes a v1 line of 107 octets and none of 108", () => {
  assert.equal(WORST_CASE.length, 107);
  const header = parseProxyHeader(octets(WORST_CASE));
  assert(header.kind === "ok");
  assert.equal(header.size, 107);
  const tooLong = "a v1 header has no CRLF in its first 107 octets";
  assert.equal(reasonFor(WORST_CASE.replace("\r\n", "1\r\n")), tooLong);
});

Deno.test("parseProxyHeader() refuses an endless v1 line at its 107th octet", () => {
  const endless = octets(`PROXY UNKNOWN ${"x".repeat(1_000)}`);
  assert.equal(parseProxyHeader(endless.subarray(0, 106)).kind, "need");
  assert.equal(parseProxyHeader(endless.subarray(0, 107)).kind, "invalid");
  assert.deepEqual(parseProxyHeader(endless), parseProxyHeader(endless.subarray(0, 107)));
});

Deno.test.each([
  ["PROXY TCP4 192.0.2.7 198.51.100.1 50000 443\r\n"],
  [`PROXY TCP6 ${IPV6} ${IPV6} 65535 65535\r\n`],
  ["PROXY UNKNOWN\r\n"],
  [WORST_CASE],
])("parseProxyHeader() returns need for each proper prefix of %j", (line) => {
  const bytes = octets(line);
  for (let length = 0; length < bytes.length; length++) {
    assert.equal(parseProxyHeader(bytes.subarray(0, length)).kind, "need", `${length} octets`);
  }
  assert.equal(parseProxyHeader(bytes).kind, "ok");
});

Deno.test("parseProxyHeader() accepts as a first octet only those of its two versions", () => {
  for (let octet = 0; octet < 256; octet++) {
    const want = octet === 0x50 || octet === 0x0d ? "need" : "invalid";
    assert.equal(parseProxyHeader(Uint8Array.of(octet)).kind, want, `octet ${octet}`);
  }
});

Deno.test("parseProxyHeader() refuses a TLS hello where a header is required", () => {
  assert.equal(reasonFor("\x16\x03\x01\x02\x00"), "no PROXY protocol header");
});
