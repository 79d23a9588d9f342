import assert from "node:assert/strict";
import { ipFromBytes } from "../../lib/addr/mod.ts";
import {
  encodeProxyV2,
  parseProxyHeader,
  readAlpnTlv,
  readAuthorityTlv,
  readCrc32cTlv,
  readNetnsTlv,
  readSslTlv,
  readUniqueIdTlv,
  type SocketAddress,
} from "../../lib/proxyproto/mod.ts";
import { fuzzTest, mutate, type Random } from "../support/fuzz.ts";
import {
  buildV2Header,
  buildV2HeaderWithChecksum,
  IPV6_BLOCK,
  tlv,
} from "../support/proxy_header.ts";

const ROUNDS = 15_000;
const V2_LIMIT = 536;
const SSL = Uint8Array.fromHex("0100000000210007544c5376312e33220004746573742300024142");

function randomHeader(random: Random): Uint8Array {
  const rest = [tlv(random.below(256), random.bytes(random.below(9))), tlv(0x20, SSL)]
    .slice(random.below(3));
  const ip = () => [...random.bytes(4)].join(".");
  const line = `PROXY TCP4 ${ip()} ${ip()} ${random.below(65_536)} ${random.below(65_536)}\r\n`;
  switch (random.below(6)) {
    case 0:
      return new TextEncoder().encode(line);
    case 1:
      return new TextEncoder().encode("PROXY TCP6 2001:db8::7 ::ffff:192.0.2.1 1 65535\r\n");
    case 2:
      return buildV2Header({ family: 0x21, block: IPV6_BLOCK, rest });
    case 3:
      return buildV2HeaderWithChecksum({ rest: [tlv(4, "pad")] });
    case 4:
      return buildV2Header({ command: 0x20 + random.below(2), family: random.below(0x33) });
    default:
      return buildV2Header({ rest });
  }
}

/** What must hold for any octets at all. */
function checkInvariants(bytes: Uint8Array): void {
  const before = bytes.slice();
  const whole = parseProxyHeader(bytes);
  assert.deepEqual(bytes, before, "the input was changed");
  for (let length = 0; length < bytes.length; length++) {
    const answer = parseProxyHeader(bytes.subarray(0, length));
    if (answer.kind === "need") continue;
    assert.deepEqual(answer, whole, `cut at ${length}`);
    break;
  }
  if (whole.kind !== "ok") return;
  const { size, value: { version, source, destination, tlvs } } = whole;
  assert(size <= Math.min(bytes.length, version === 1 ? 107 : V2_LIMIT));
  assert.equal(parseProxyHeader(bytes.subarray(0, size - 1)).kind, "need");
  assert.equal(source === undefined, destination === undefined);
  for (const { value } of tlvs) {
    assert(value.byteOffset - bytes.byteOffset + value.length <= size, "a TLV leaves the header");
  }
  readAlpnTlv(tlvs);
  readAuthorityTlv(tlvs);
  readCrc32cTlv(tlvs);
  readNetnsTlv(tlvs);
  readSslTlv(tlvs);
  readUniqueIdTlv(tlvs);
  if (source === undefined || destination === undefined) return;
  // CRC32C would not hold for a header that is written anew.
  const kept = tlvs.filter(({ type }) => type !== 3);
  const encoded = encodeProxyV2({ source, destination, tlvs: kept });
  const again = parseProxyHeader(encoded, { maxV2Length: 65_551 });
  assert(again.kind === "ok");
  assert.deepEqual(again.value.source, source);
  assert.deepEqual(again.value.destination, destination);
  const { tlvs: kept2 } = again.value;
  assert.deepEqual(encodeProxyV2({ source, destination, tlvs: kept2 }), encoded);
}

fuzzTest("parseProxyHeader() survives mutated headers and never depends on the cuts", (random) => {
  for (let round = 0; round < ROUNDS; round++) {
    checkInvariants(mutate(randomHeader(random), random));
  }
});

fuzzTest("parseProxyHeader() survives random octets behind each beginning", (random) => {
  const beginnings = [
    "",
    "50524f585920",
    "0d0a0d0a000d0a515549540a",
    "0d0a0d0a000d0a515549540a2111",
  ];
  for (let round = 0; round < ROUNDS; round++) {
    const tail = random.bytes(random.below(80));
    checkInvariants(Uint8Array.from([...Uint8Array.fromHex(random.pick(beginnings)), ...tail]));
  }
});

fuzzTest("parseProxyHeader() reads back what encodeProxyV2() writes", (random) => {
  const end = (): SocketAddress => ({
    ip: ipFromBytes(random.bytes(random.pick([4, 16]))),
    port: random.below(65_536),
  });
  for (let round = 0; round < ROUNDS; round++) {
    const addresses = { source: end(), destination: end() };
    const tlvs = [{ type: 0xe0 + random.below(16), value: random.bytes(random.below(40)) }];
    const bytes = encodeProxyV2({ ...addresses, tlvs });
    const header = parseProxyHeader(bytes);
    assert(header.kind === "ok");
    assert.equal(header.size, bytes.length);
    assert.deepEqual(header.value, { version: 2, command: "proxy", ...addresses, tlvs });
  }
});
