import assert from "node:assert/strict";
import { parseIp } from "../../../lib/addr/mod.ts";
import {
  alpnTlv,
  authorityTlv,
  encodeProxyV2,
  encodeProxyV2Local,
  parseProxyHeader,
  type SocketAddress,
} from "../../../lib/proxyproto/mod.ts";
import { buildV2Header, IPV6_BLOCK, tlv } from "../../support/proxy_header.ts";

function end(text: string, port: number): SocketAddress {
  const ip = parseIp(text);
  assert(ip.ok);
  return { ip: ip.value, port };
}

const V4 = { source: end("192.0.2.7", 50_000), destination: end("198.51.100.1", 443) };
const V6 = { source: end("2001:db8::7", 50_000), destination: end("2001:db8::1", 443) };

Deno.test("encodeProxyV2() writes IPv4 octet for octet as the specification says", () => {
  assert.deepEqual(new Uint8Array(encodeProxyV2(V4)), buildV2Header());
});

Deno.test("encodeProxyV2() writes IPv6 octet for octet as the specification says", () => {
  const want = buildV2Header({ family: 0x21, block: IPV6_BLOCK });
  assert.deepEqual(new Uint8Array(encodeProxyV2(V6)), want);
});

Deno.test.each([
  ["source", { source: V4.source, destination: V6.destination }],
  ["destination", { source: V6.source, destination: V4.destination }],
])("encodeProxyV2() maps an IPv4 %s when the other end is IPv6", (_, addresses) => {
  const bytes = encodeProxyV2(addresses);
  assert.equal(bytes[13], 0x21);
  assert.equal(bytes.length, 52);
  const header = parseProxyHeader(bytes);
  assert(header.kind === "ok");
  assert.deepEqual(header.value.source, addresses.source);
  assert.deepEqual(header.value.destination, addresses.destination);
});

Deno.test("encodeProxyV2() writes TLVs in their order behind the addresses", () => {
  const tlvs = [alpnTlv("h2"), authorityTlv("a.example"), { type: 0xe0, value: new Uint8Array(0) }];
  const want = buildV2Header({ rest: [tlv(1, "h2"), tlv(2, "a.example"), tlv(0xe0, "")] });
  assert.deepEqual(new Uint8Array(encodeProxyV2({ ...V4, tlvs })), want);
});

Deno.test("encodeProxyV2() throws RangeError when TLVs overflow the length field", () => {
  const fill = (length: number) => ({ ...V4, tlvs: [{ type: 4, value: new Uint8Array(length) }] });
  const whole = encodeProxyV2(fill(65_535 - 12 - 3));
  assert.equal(whole.length, 65_551);
  assert.equal(parseProxyHeader(whole, { maxV2Length: whole.length }).kind, "ok");
  assert.throws(() => encodeProxyV2(fill(65_535 - 12 - 2)), RangeError);
  const many = Array.from({ length: 3 }, () => ({ type: 4, value: new Uint8Array(30_000) }));
  assert.throws(() => encodeProxyV2({ ...V4, tlvs: many }), RangeError);
});

Deno.test.each([[-1], [65_536], [1.5], [NaN]])(
  "encodeProxyV2() throws RangeError for port %d",
  (port) => {
    assert.throws(() => encodeProxyV2({ ...V4, source: { ...V4.source, port } }), RangeError);
  },
);

Deno.test.each([[-1], [256]])("encodeProxyV2() throws RangeError for TLV type %d", (type) => {
  assert.throws(
    () => encodeProxyV2({ ...V4, tlvs: [{ type, value: new Uint8Array(0) }] }),
    RangeError,
  );
});

Deno.test("encodeProxyV2Local() writes the 16 octets of a health check", () => {
  const bytes = encodeProxyV2Local();
  assert.equal(bytes.toHex(), "0d0a0d0a000d0a515549540a20000000");
  const header = parseProxyHeader(bytes);
  assert(header.kind === "ok");
  assert.deepEqual(header.value, { version: 2, command: "local", tlvs: [] });
});

Deno.test.each([[0], [1], [65_535]])("encodeProxyV2() writes port %d", (port) => {
  const ends = { source: { ...V4.source, port }, destination: { ...V4.destination, port } };
  const header = parseProxyHeader(encodeProxyV2(ends));
  assert(header.kind === "ok");
  assert.deepEqual([header.value.source?.port, header.value.destination?.port], [port, port]);
});

Deno.test.each([[0], [255]])(
  "encodeProxyV2() writes TLV type %d, and a length of 16 bits",
  (type) => {
    const value = new Uint8Array(0x0102).fill(7);
    const want = buildV2Header({ rest: [tlv(type, value), tlv(0xe0, "x")] });
    const tlvs = [{ type, value }, { type: 0xe0, value: Uint8Array.of(0x78) }];
    assert.deepEqual(new Uint8Array(encodeProxyV2({ ...V4, tlvs })), want);
  },
);
