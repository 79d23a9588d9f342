import assert from "node:assert/strict";
import { formatIp } from "../../../lib/addr/mod.ts";
import {
  DEFAULT_MAX_V2_LENGTH,
  parseProxyHeader,
  type ProxyHeader,
  readCrc32cTlv,
  type SocketAddress,
} from "../../../lib/proxyproto/mod.ts";
import { concat } from "../../support/hello.ts";
import {
  buildV2Header,
  buildV2HeaderWithChecksum,
  IPV4_BLOCK,
  IPV6_BLOCK,
  tlv,
  V2_SIGNATURE,
  type V2Options,
} from "../../support/proxy_header.ts";

const show = (end: SocketAddress | undefined) => end && `${formatIp(end.ip)} ${end.port}`;
const NOTHING = new Uint8Array(0);

function parsed(options: V2Options): ProxyHeader {
  const bytes = buildV2Header(options);
  const header = parseProxyHeader(concat([bytes, Uint8Array.of(22, 3, 1)]));
  assert(header.kind === "ok", header.kind === "invalid" ? header.reason : header.kind);
  assert.equal(header.size, bytes.length);
  return header.value;
}

function refusal(options: V2Options): string {
  const header = parseProxyHeader(buildV2Header(options));
  assert(header.kind === "invalid", `not refused but ${header.kind}`);
  return header.reason;
}

Deno.test.each([
  ["TCP over IPv4", 0x11, IPV4_BLOCK, "192.0.2.7 50000", "198.51.100.1 443"],
  ["UDP over IPv4", 0x12, IPV4_BLOCK, "192.0.2.7 50000", "198.51.100.1 443"],
  ["TCP over IPv6", 0x21, IPV6_BLOCK, "2001:db8::7 50000", "2001:db8::1 443"],
  ["UDP over IPv6", 0x22, IPV6_BLOCK, "2001:db8::7 50000", "2001:db8::1 443"],
])("parseProxyHeader() reads both ends of v2 %s", (_, family, block, source, destination) => {
  const header = parsed({ family, block });
  assert.equal(header.version, 2);
  assert.equal(header.command, "proxy");
  assert.equal(show(header.source), source);
  assert.equal(show(header.destination), destination);
});

Deno.test.each(
  [
    ["TCP over IPv4", 0x11, IPV4_BLOCK, undefined],
    ["UDP over IPv4", 0x12, IPV4_BLOCK, true],
    ["UDP over IPv6", 0x22, IPV6_BLOCK, true],
    ["UNIX DGRAM", 0x32, new Uint8Array(216), true],
    ["UNSPEC", 0x00, NOTHING, undefined],
  ] as const,
)("parseProxyHeader() tells whether v2 %s is of datagrams", (_, family, block, want) => {
  assert.equal(parsed({ family, block }).isDatagram, want);
});

Deno.test("parseProxyHeader() gives the IPv4 address of a mapped source in v2", () => {
  const block = Uint8Array.fromHex(
    "00000000000000000000ffffc0000207" + "00000000000000000000ffffc6336401" + "c35001bb",
  );
  const header = parsed({ family: 0x21, block });
  assert.equal(show(header.source), "192.0.2.7 50000");
  assert.equal(header.source?.ip.family, 4);
});

Deno.test.each([
  ["class E", "f0000001", "240.0.0.1 50000"],
  ["multicast", "e0000001", "224.0.0.1 50000"],
  ["unspecified", "00000000", "0.0.0.0 50000"],
])("parseProxyHeader() hands a %s source to the firewall as it is", (_, hex, source) => {
  const block = concat([Uint8Array.fromHex(hex), IPV4_BLOCK.subarray(4)]);
  assert.equal(show(parsed({ block }).source), source);
});

Deno.test.each([
  ["UNSPEC without a block", 0x00, NOTHING],
  ["UNSPEC with octets that are no TLVs", 0x00, IPV4_BLOCK],
  ["UNSPEC family with STREAM", 0x01, NOTHING],
  ["IPv4 with UNSPEC transport", 0x10, IPV4_BLOCK],
  ["IPv6 with UNSPEC transport", 0x20, IPV6_BLOCK],
  ["UNIX STREAM", 0x31, new Uint8Array(216)],
  ["UNIX DGRAM", 0x32, new Uint8Array(216)],
])("parseProxyHeader() gives no source for v2 %s", (_, family, block) => {
  const header = parsed({ family, block });
  assert.equal(header.command, "proxy");
  assert.equal(header.source, undefined);
  assert.equal(header.destination, undefined);
  assert.deepEqual(header.tlvs, []);
});

Deno.test("parseProxyHeader() accepts LOCAL with any family, transport and block", () => {
  for (let family = 0; family < 256; family++) {
    for (const block of [NOTHING, Uint8Array.of(1, 2, 3), IPV4_BLOCK, IPV6_BLOCK]) {
      const header = parsed({ command: 0x20, family, block });
      assert.equal(header.command, "local");
      assert.equal(header.source, undefined);
    }
  }
});

Deno.test("parseProxyHeader() keeps the TLVs of LOCAL but refuses none", () => {
  const rest = [tlv(4, "abc"), tlv(3, "wrong"), tlv(3, Uint8Array.of(1, 2, 3, 4))];
  const header = parsed({ command: 0x20, family: 0, block: NOTHING, rest });
  assert.deepEqual(header.tlvs.map(({ type }) => type), [4, 3, 3]);
});

Deno.test("parseProxyHeader() judges version and command over all their values", () => {
  for (let command = 0; command < 256; command++) {
    const want = command === 0x20 || command === 0x21 ? "need" : "invalid";
    const bytes = concat([V2_SIGNATURE, Uint8Array.of(command)]);
    assert.equal(parseProxyHeader(bytes).kind, want, `octet ${command}`);
  }
});

Deno.test("parseProxyHeader() judges family and transport over all their values", () => {
  for (let family = 0; family < 256; family++) {
    const want = family >> 4 <= 3 && (family & 15) <= 2 ? "need" : "invalid";
    const bytes = concat([V2_SIGNATURE, Uint8Array.of(0x21, family)]);
    assert.equal(parseProxyHeader(bytes).kind, want, `octet ${family}`);
  }
});

Deno.test("parseProxyHeader() refuses a wrong octet anywhere in the v2 signature at once", () => {
  for (let at = 1; at < V2_SIGNATURE.length; at++) {
    const bytes = V2_SIGNATURE.slice(0, at + 1);
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    const header = parseProxyHeader(bytes);
    assert(header.kind === "invalid");
    assert.equal(header.reason, "a v2 header has a wrong signature");
  }
});

Deno.test("parseProxyHeader() refuses every length that is shorter than its family's block", () => {
  for (const [family, needed] of [[0x11, 12], [0x21, 36], [0x31, 216], [0x10, 12]] as const) {
    for (let length = 0; length < needed; length++) {
      assert.equal(
        refusal({ family, block: new Uint8Array(length) }),
        "a v2 header is too short for its addresses",
      );
    }
  }
});

Deno.test("parseProxyHeader() waits for the octets a v2 length declares", () => {
  const header = parseProxyHeader(buildV2Header({ lengthError: 5 }));
  assert.equal(header.kind, "need");
});

Deno.test("parseProxyHeader() refuses a v2 length over the limit before the octets come", () => {
  const fill = (length: number) => [tlv(4, new Uint8Array(length - 28 - 3))];
  const whole = buildV2Header({ rest: fill(DEFAULT_MAX_V2_LENGTH) });
  assert.equal(whole.length, 536);
  assert.equal(parseProxyHeader(whole).kind, "ok");
  const over = buildV2Header({ rest: fill(DEFAULT_MAX_V2_LENGTH + 1) });
  const reason = "a v2 header is over the length limit";
  assert.deepEqual(parseProxyHeader(over.subarray(0, 16)), { kind: "invalid", reason });
  assert.equal(parseProxyHeader(over, { maxV2Length: 537 }).kind, "ok");
  assert.equal(parseProxyHeader(whole, { maxV2Length: 535 }).kind, "invalid");
});

Deno.test("parseProxyHeader() reads a v2 header of the largest length when the limit allows", () => {
  const bytes = buildV2Header({ rest: [tlv(0xe0, new Uint8Array(65_520))] });
  assert.equal(bytes.length, 65_551);
  const header = parseProxyHeader(bytes, { maxV2Length: 65_551 });
  assert(header.kind === "ok");
  assert.equal(header.size, 65_551);
  assert.equal(header.value.tlvs[0]?.value.length, 65_520);
});

Deno.test("parseProxyHeader() verifies CRC32C over the whole v2 header", () => {
  const bytes = buildV2HeaderWithChecksum({ rest: [tlv(0xea, "vpce-1"), tlv(4, "\0\0")] });
  const header = parseProxyHeader(concat([bytes, Uint8Array.of(1, 2, 3)]));
  assert(header.kind === "ok");
  const sent = new DataView(bytes.buffer).getUint32(bytes.length - 4);
  assert.equal(readCrc32cTlv(header.value.tlvs), sent);
});

Deno.test("parseProxyHeader() refuses a v2 header with one bit changed under its CRC32C", () => {
  const bytes = buildV2HeaderWithChecksum({ rest: [tlv(0xea, "vpce-1")] });
  for (let at = 16; at < 28; at++) {
    for (let bit = 0; bit < 8; bit++) {
      const changed = bytes.slice();
      changed[at] = (changed[at] ?? 0) ^ (1 << bit);
      const header = parseProxyHeader(changed);
      assert(header.kind === "invalid");
      assert.equal(header.reason, "a v2 header has a wrong CRC32C checksum");
    }
  }
});

Deno.test("parseProxyHeader() verifies CRC32C in a buffer that does not start at octet 0", () => {
  const bytes = buildV2HeaderWithChecksum();
  const shifted = concat([new Uint8Array(7), bytes]).subarray(7);
  assert.equal(parseProxyHeader(shifted).kind, "ok");
});

Deno.test.each([
  ["IPv4", {}],
  ["IPv6 with TLVs", { family: 0x21, block: IPV6_BLOCK, rest: [tlv(1, "h2"), tlv(4, "")] }],
  ["UNIX", { family: 0x31, block: new Uint8Array(216) }],
  ["LOCAL", { command: 0x20, family: 0, block: NOTHING }],
  ["UNSPEC", { family: 0, block: Uint8Array.of(1, 2, 3) }],
])("parseProxyHeader() returns need for each proper prefix of v2 %s", (_, options) => {
  const bytes = buildV2Header(options);
  for (let length = 0; length < bytes.length; length++) {
    assert.equal(parseProxyHeader(bytes.subarray(0, length)).kind, "need", `${length} octets`);
  }
  assert.equal(parseProxyHeader(bytes).kind, "ok");
});

Deno.test("parseProxyHeader() ignores the family of LOCAL, but keeps what stands behind it", () => {
  const rest = [tlv(0xe0, "mine")];
  const header = parsed({ command: 0x20, family: 0x51, block: NOTHING, rest });
  assert.deepEqual(header, {
    version: 2,
    command: "local",
    tlvs: [{ type: 0xe0, value: new TextEncoder().encode("mine") }],
  });
});
