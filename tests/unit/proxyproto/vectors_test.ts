import assert from "node:assert/strict";
import { formatIp, parseIp } from "../../../lib/addr/mod.ts";
import {
  parseProxyHeader,
  type ProxyHeader,
  readCrc32cTlv,
  readSslTlv,
} from "../../../lib/proxyproto/mod.ts";
import { createRandom } from "../../support/fuzz.ts";
import { vectorTest } from "../../support/vectors.ts";

interface Expected {
  readonly error?: true;
  readonly incomplete?: true;
  readonly version?: number;
  readonly command?: "PROXY" | "LOCAL";
  readonly family?: "inet" | "inet6" | "unix" | "unspec";
  readonly transport?: string;
  readonly src?: string | null;
  readonly dst?: string | null;
  readonly "src_port"?: number;
  readonly "dst_port"?: number;
  readonly "header_len"?: number;
  readonly tlvs?:
    | { readonly type: number; readonly hex: string; readonly ssl?: { readonly client: number } }[]
    | null;
  readonly "crc32c_valid"?: boolean;
  readonly "trailing_hex"?: string;
}

interface Vector {
  readonly name: string;
  readonly hex: string;
  readonly expected: Expected;
  readonly divergent?: string;
}

type Answer = ReturnType<typeof parseProxyHeader>;

const FILE = "proxy_protocol/vectors_dev.jsonl";
/** The most the format allows, for vectors about TLVs and not about the limit. */
const NO_LIMIT = { maxV2Length: 65_551 };

/** A CR LF is an error to a v1 parser, but also how the v2 signature begins: more octets decide. */
const PREFIX_OF_V2 = "empty line";

/** Where implementations disagree: what this parser decided (see the module's documentation). */
const DECIDED: ReadonlyMap<string, Answer["kind"]> = new Map([
  ["UNKNOWN longer than 107", "invalid"],
  ["TCP6 with plain IPv4 both", "invalid"],
  ["TCP6 with plain IPv4 destination", "invalid"],
  ["TCP6 with plain IPv4 source", "invalid"],
  ["medium TLV area: 2048 zero octets", "invalid"],
  ["too large: 10 KiB TLV area", "invalid"],
  ["LOCAL TCPv4 with short block (5) is skipped by length", "ok"],
  ["truncated TLV: one octet", "invalid"],
  ["truncated TLV: two octets", "invalid"],
  ["truncated TLV: length 1, no value", "invalid"],
  ["truncated TLV: length 2, one octet", "invalid"],
  ["IPv4 family, transport unspec, 8 octets", "invalid"],
  ["LOCAL with transport 7", "ok"],
  ["IPv6 with ALPN and a 2-octet CRC32C TLV", "invalid"],
  ["TLV truncated inside header", "invalid"],
  ["LOCAL IPv6 dgram with length 0", "ok"],
  ["65535 length with a 65520-octet authority TLV", "ok"],
  ["InvalidSrcAddress 230.0.0.1 (multicast)", "ok"],
  ["InvalidDstAddress 0.0.0.0", "ok"],
]);

function kindOf({ name, expected }: Vector): Answer["kind"] {
  if (expected.incomplete || name === PREFIX_OF_V2) return "need";
  return expected.error ? "invalid" : "ok";
}

function canonical(text: string | null | undefined): string | undefined {
  const ip = parseIp(text ?? "");
  return ip.ok ? formatIp(ip.value) : undefined;
}

function checkHeader(
  { name, expected }: Vector,
  header: ProxyHeader,
): void {
  assert.equal(header.version, expected.version, name);
  assert.equal(header.command.toUpperCase(), expected.command, name);
  const { source, destination } = header;
  const hasIp = expected.family === "inet" || expected.family === "inet6";
  assert.equal(source && formatIp(source.ip), hasIp ? canonical(expected.src) : undefined, name);
  const to = hasIp ? canonical(expected.dst) : undefined;
  assert.equal(destination && formatIp(destination.ip), to, name);
  if (hasIp) {
    assert.equal(source?.port, expected.src_port, name);
    assert.equal(destination?.port, expected.dst_port, name);
  }
  const tlvs = header.tlvs.map(({ type, value }) => ({ type, hex: value.toHex() }));
  const want = (expected.tlvs ?? []).map(({ type, hex }) => ({ type, hex }));
  assert.deepEqual(tlvs, want, name);
  if (expected.crc32c_valid !== undefined) assert(readCrc32cTlv(header.tlvs) !== undefined, name);
  const client = expected.tlvs?.find(({ ssl }) => ssl !== undefined)?.ssl?.client;
  const overTls = client === undefined ? undefined : (client & 1) === 1;
  assert.equal(readSslTlv(header.tlvs)?.overTls, overTls, name);
}

vectorTest<Vector>(FILE, "parseProxyHeader() agrees, or differs as documented", (vectors) => {
  for (const vector of vectors) {
    const { name, hex, expected, divergent } = vector;
    const bytes = Uint8Array.fromHex(hex);
    const answer = parseProxyHeader(bytes, NO_LIMIT);
    const byVector = kindOf(vector);
    const want = divergent === undefined ? byVector : DECIDED.get(name);
    assert.equal(answer.kind, want, name);
    if (answer.kind !== "ok") continue;
    if (byVector === "ok") {
      assert.equal(answer.size, expected.header_len, name);
      const trailing = bytes.subarray(answer.size).toHex();
      assert.equal(trailing, expected.trailing_hex ?? "", name);
      checkHeader(vector, answer.value);
    }
  }
});

vectorTest<Vector>(FILE, "parseProxyHeader() refuses what is over its limit", (vectors) => {
  for (const { name, hex, expected } of vectors) {
    const answer = parseProxyHeader(Uint8Array.fromHex(hex));
    const tooLong = hex.startsWith("0d0a") && (expected.header_len ?? 0) > 536;
    if (tooLong) assert.equal(answer.kind, "invalid", name);
    if (answer.kind === "ok") assert(answer.size <= 536, name);
  }
});

vectorTest<Vector>(
  FILE,
  "parseProxyHeader() gives the same answer however the stream is cut",
  (vectors) => {
    const random = createRandom(0x9707);
    for (const { name, hex } of vectors) {
      const bytes = Uint8Array.fromHex(hex);
      const whole = parseProxyHeader(bytes, NO_LIMIT);
      const step = bytes.length > 5_000 ? () => 1 + random.below(500) : () => 1;
      for (let cut = 0; cut < bytes.length; cut += step()) {
        const answer = parseProxyHeader(bytes.subarray(0, cut), NO_LIMIT);
        if (answer.kind === "need") continue;
        assert.deepEqual(answer, whole, `${name} cut at ${cut}`);
        break;
      }
    }
  },
);
