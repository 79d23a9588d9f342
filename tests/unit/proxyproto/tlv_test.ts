import assert from "node:assert/strict";
import {
  alpnTlv,
  authorityTlv,
  parseProxyHeader,
  type ProxySsl,
  type ProxyTlv,
  readAlpnTlv,
  readAuthorityTlv,
  readCrc32cTlv,
  readNetnsTlv,
  readSslTlv,
  readUniqueIdTlv,
  sslTlv,
  TlvType,
  uniqueIdTlv,
} from "../../../lib/proxyproto/mod.ts";
import { concat } from "../../support/hello.ts";
import { buildV2Header, tlv } from "../../support/proxy_header.ts";

function parse(...rest: Uint8Array[]): readonly ProxyTlv[] {
  const header = parseProxyHeader(buildV2Header({ rest }), { maxV2Length: 65_551 });
  assert(header.kind === "ok", header.kind === "invalid" ? header.reason : header.kind);
  return header.value.tlvs;
}

function reasonFor(...rest: Uint8Array[]): string {
  const header = parseProxyHeader(buildV2Header({ rest }), { maxV2Length: 65_551 });
  assert(header.kind === "invalid", `not refused but ${header.kind}`);
  return header.reason;
}

const BROKEN = "a v2 header has TLVs that do not fit its length";
const NOT_UTF8 = Uint8Array.of(0x61, 0xff, 0xfe);

Deno.test("the TLV readers find their type among others", () => {
  const tlvs = parse(
    tlv(0xe0, "mine"),
    tlv(TlvType.alpn, "h2"),
    tlv(TlvType.noop, ""),
    tlv(TlvType.authority, "bücher.example"),
    tlv(TlvType.noop, "\0\0\0"),
    tlv(TlvType.uniqueId, Uint8Array.of(1, 2, 3)),
    tlv(TlvType.netns, "blue"),
  );
  assert.equal(readAlpnTlv(tlvs), "h2");
  assert.equal(readAuthorityTlv(tlvs), "bücher.example");
  assert.deepEqual(readUniqueIdTlv(tlvs), Uint8Array.of(1, 2, 3));
  assert.equal(readNetnsTlv(tlvs), "blue");
  assert.equal(tlvs.length, 7);
  assert.deepEqual(tlvs[0], { type: 0xe0, value: new TextEncoder().encode("mine") });
});

Deno.test("the TLV readers answer undefined when there is no TLV of their type", () => {
  const readers = [
    readAlpnTlv,
    readAuthorityTlv,
    readCrc32cTlv,
    readUniqueIdTlv,
    readSslTlv,
    readNetnsTlv,
  ];
  for (const read of readers) assert.equal(read([]), undefined);
});

Deno.test("the TLV readers answer undefined for a value that its type does not allow", () => {
  assert.equal(readAuthorityTlv([{ type: TlvType.authority, value: NOT_UTF8 }]), undefined);
  assert.equal(readCrc32cTlv([{ type: TlvType.crc32c, value: NOT_UTF8 }]), undefined);
  assert.equal(readSslTlv([{ type: TlvType.ssl, value: NOT_UTF8 }]), undefined);
});

Deno.test("parseProxyHeader() keeps TLVs of unknown types, empty and repeated ones too", () => {
  const tlvs = parse(tlv(0xe0, ""), tlv(0xe0, ""), tlv(0, "x"), tlv(0xff, "y"));
  assert.deepEqual(tlvs.map(({ type }) => type), [0xe0, 0xe0, 0, 0xff]);
});

Deno.test.each([
  ["a type alone", [Uint8Array.of(0xe0)], BROKEN],
  ["half a length", [Uint8Array.of(0xe0, 0)], BROKEN],
  ["a length without a value", [Uint8Array.of(0xe0, 0, 1)], BROKEN],
  ["a length over the header", [Uint8Array.of(0xe0, 0xff, 0xff, 1)], BROKEN],
  ["an octet after the last TLV", [tlv(4, "a"), Uint8Array.of(0)], BROKEN],
  [
    "an AUTHORITY that is not UTF-8",
    [tlv(2, NOT_UTF8)],
    "a v2 header has a malformed AUTHORITY TLV",
  ],
  ["a NETNS that is not ASCII", [tlv(0x30, "é")], "a v2 header has a malformed NETNS TLV"],
  ["a CRC32C of 2 octets", [tlv(3, "ab")], "a v2 header has a malformed CRC32C TLV"],
  ["a CRC32C of 0 octets", [tlv(3, "")], "a v2 header has a malformed CRC32C TLV"],
  ["a wrong CRC32C", [tlv(3, "abcd")], "a v2 header has a wrong CRC32C checksum"],
  ["two CRC32C", [tlv(3, "abcd"), tlv(3, "abcd")], "a v2 header has two CRC32C TLVs"],
  ["two AUTHORITY", [tlv(2, "a"), tlv(2, "a")], "a v2 header has two AUTHORITY TLVs"],
  ["two SSL", [tlv(0x20, "\0\0\0\0\0"), tlv(0x20, "\0\0\0\0\0")], "a v2 header has two SSL TLVs"],
  [
    "a UNIQUE_ID of 129 octets",
    [tlv(5, new Uint8Array(129))],
    "a v2 header has a malformed UNIQUE_ID TLV",
  ],
  ["an empty ALPN", [tlv(1, "")], "a v2 header has a malformed ALPN TLV"],
  ["an SSL of 4 octets", [tlv(0x20, "\0\0\0\0")], "a v2 header has a malformed SSL TLV"],
  [
    "a sub-TLV over its SSL",
    [tlv(0x20, "\x01\0\0\0\0\x21\0\x09TLSv1.3")],
    "a v2 header has a malformed SSL TLV",
  ],
  [
    "a sub-TLV that is not text",
    [tlv(0x20, concat([new Uint8Array(5), tlv(0x22, NOT_UTF8)]))],
    "a v2 header has a malformed SSL TLV",
  ],
  ["two common names in an SSL", [
    tlv(0x20, concat([new Uint8Array(5), tlv(0x22, "a"), tlv(0x22, "a")])),
  ], "a v2 header has a malformed SSL TLV"],
])("parseProxyHeader() refuses %s", (_, rest, reason) => {
  assert.equal(reasonFor(...rest), reason);
});

Deno.test("readSslTlv() reads flags, verification and every text", () => {
  const value = concat([
    Uint8Array.of(0b101, 0, 0, 1, 2),
    tlv(0x21, "TLSv1.3"),
    tlv(0x22, "Jörg"),
    tlv(0x23, "TLS_AES_128_GCM_SHA256"),
    tlv(0x24, "SHA256"),
    tlv(0x25, "RSA2048"),
    tlv(0x7f, NOT_UTF8),
  ]);
  assert.deepEqual(readSslTlv(parse(tlv(TlvType.ssl, value))), {
    overTls: true,
    certificateOnConnection: false,
    certificateInSession: true,
    verify: 258,
    version: "TLSv1.3",
    commonName: "Jörg",
    cipher: "TLS_AES_128_GCM_SHA256",
    signatureAlgorithm: "SHA256",
    keyAlgorithm: "RSA2048",
  });
});

Deno.test("the TLV writers give what the readers read", () => {
  const ssl: ProxySsl = {
    overTls: true,
    certificateOnConnection: true,
    certificateInSession: false,
    verify: 0xfffffffe,
    version: "TLSv1.2",
    commonName: "client",
  };
  const tlvs = [alpnTlv("http/1.1"), authorityTlv("a.example"), sslTlv(ssl)];
  assert.equal(readAlpnTlv(tlvs), "http/1.1");
  assert.equal(readAuthorityTlv(tlvs), "a.example");
  assert.deepEqual(readSslTlv(tlvs), ssl);
  const id = new Uint8Array(128);
  assert.deepEqual(readUniqueIdTlv([uniqueIdTlv(id)]), id);
});

Deno.test("the TLV writers throw RangeError for what the specification forbids", () => {
  assert.throws(() => uniqueIdTlv(new Uint8Array(129)), RangeError);
  assert.throws(() => alpnTlv(""), RangeError);
  assert.throws(() => alpnTlv("x".repeat(256)), RangeError);
  assert.throws(() => alpnTlv("\u0100"), RangeError);
  assert.throws(() => authorityTlv("a".repeat(65_536)), RangeError);
  const ssl = { overTls: true, certificateOnConnection: false, certificateInSession: false };
  assert.throws(() => sslTlv({ ...ssl, verify: 1, cipher: "a".repeat(65_536) }), RangeError);
});

Deno.test("the TLV writers and readers agree at the bounds of the specification", () => {
  for (const protocol of ["x", "x".repeat(255)]) {
    assert.equal(readAlpnTlv(parse(tlv(TlvType.alpn, protocol))), protocol);
    assert.equal(readAlpnTlv([alpnTlv(protocol)]), protocol);
  }
  assert.equal(
    reasonFor(tlv(TlvType.alpn, "x".repeat(256))),
    "a v2 header has a malformed ALPN TLV",
  );
  const name = "a".repeat(65_535);
  assert.equal(readAuthorityTlv([authorityTlv(name)]), name);
  const ssl = { overTls: true, certificateOnConnection: false, certificateInSession: false };
  assert.equal(readSslTlv([sslTlv({ ...ssl, verify: 1, cipher: name })])?.cipher, name);
});

Deno.test("readAuthorityTlv() gives the name as sent, a byte order mark included", () => {
  assert.equal(readAuthorityTlv(parse(tlv(TlvType.authority, "\ufeffa"))), "\ufeffa");
});

Deno.test.each([
  [0b000, false, false, false],
  [0b001, true, false, false],
  [0b010, false, true, false],
  [0b100, false, false, true],
  [0b111, true, true, true],
])(
  "sslTlv() writes the bits %d for TLS, certificate now, certificate in the session: %j, %j, %j",
  (bits, overTls, certificateOnConnection, certificateInSession) => {
    const ssl = { overTls, certificateOnConnection, certificateInSession, verify: 0x01020304 };
    assert.deepEqual(sslTlv(ssl).value, Uint8Array.of(bits, 1, 2, 3, 4));
  },
);
