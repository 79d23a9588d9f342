import assert from "node:assert/strict";
import {
  encodeProxyV2,
  parseProxyHeader,
  readAlpnTlv,
  readAuthorityTlv,
  readCrc32cTlv,
  readNetnsTlv,
  readSslTlv,
  readUniqueIdTlv,
} from "../../../lib/proxyproto/mod.ts";
import type { Random } from "../../support/fuzz.ts";
import { bytesOf, type FuzzTarget } from "../../support/fuzz_target.ts";
import {
  buildV2Header,
  buildV2HeaderWithChecksum,
  IPV6_BLOCK,
  tlv,
} from "../../support/proxy_header.ts";

const V2_LIMIT = 536;
const SSL = Uint8Array.fromHex("0100000000210007544c5376312e33220004746573742300024142");
const BEGINNINGS = [
  "",
  "50524f585920",
  "0d0a0d0a000d0a515549540a",
  "0d0a0d0a000d0a515549540a2111",
];

function randomHeader(random: Random): Uint8Array {
  const rest = [tlv(random.below(256), random.bytes(random.below(9))), tlv(0x20, SSL)]
    .slice(random.below(3));
  const ip = () => [...random.bytes(4)].join(".");
  switch (random.below(7)) {
    case 0:
      return bytesOf(
        `PROXY TCP4 ${ip()} ${ip()} ${random.below(65_536)} ${random.below(65_536)}\r\n`,
      );
    case 1:
      return bytesOf("PROXY TCP6 2001:db8::7 ::ffff:192.0.2.1 1 65535\r\n");
    case 2:
      return buildV2Header({ family: 0x21, block: IPV6_BLOCK, rest });
    case 3:
      return buildV2HeaderWithChecksum({ rest: [tlv(4, "pad")] });
    case 4:
      return buildV2Header({ command: 0x20 + random.below(2), family: random.below(0x33) });
    case 5: {
      const tail = random.bytes(random.below(80));
      return Uint8Array.from([...Uint8Array.fromHex(random.pick(BEGINNINGS)), ...tail]);
    }
    default:
      return buildV2Header({ rest });
  }
}

/** PROXY headers of both versions. */
export const PROXYPROTO: FuzzTarget = {
  name: "proxyproto",
  rounds: 20_000,
  make: randomHeader,
  check(bytes) {
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
    assert.deepEqual(encodeProxyV2({ source, destination, tlvs: again.value.tlvs }), encoded);
  },
};
