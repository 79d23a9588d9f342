import assert from "node:assert/strict";
import { parseHostname } from "../../../lib/addr/mod.ts";
import { ClientHelloReader, MAX_CLIENT_HELLO, parseClientHello } from "../../../lib/sni/mod.ts";
import type { Random } from "../../support/fuzz.ts";
import type { FuzzTarget } from "../../support/fuzz_target.ts";
import { buildClientHello, type HelloOptions } from "../../support/hello.ts";

/** A hello of a client that there may be. */
export function randomHello(random: Random): HelloOptions {
  const flag = () => random.below(2) === 0;
  return {
    ...(flag() ? { serverName: random.pick(["a.example", "B.Example.", "x".repeat(63)]) } : {}),
    ...(flag() ? { alpn: ["h2", "http/1.1"] } : {}),
    ...(flag() ? { recordSizes: [1 + random.below(9), 1 + random.below(200)] } : {}),
    ...(random.below(8) === 0 ? { postQuantum: true } : {}),
    ...(random.below(8) === 0 ? { extensions: false } : {}),
    grease: flag(),
    ech: flag(),
  };
}

/** Octets that only begin like TLS. */
function randomRecords(random: Random): Uint8Array {
  const bytes = random.bytes(random.below(300));
  bytes.set([22, 3, 1, 0].slice(0, bytes.length));
  if (bytes.length > 5) bytes[5] = 1;
  return bytes;
}

/** The ClientHello parser, as a whole and in pieces. */
export const SNI: FuzzTarget = {
  name: "sni",
  rounds: 12_000,
  make: (random) =>
    random.below(2) === 0 ? randomRecords(random) : buildClientHello(randomHello(random)),
  check(bytes, random) {
    const before = bytes.slice();
    const whole = parseClientHello(bytes);
    assert.deepEqual(bytes, before, "the input was changed");
    if (whole.kind === "ok") {
      assert(whole.size <= Math.min(bytes.length, MAX_CLIENT_HELLO));
      assert.deepEqual(parseClientHello(bytes.subarray(0, whole.size)), whole);
      assert.equal(parseClientHello(bytes.subarray(0, whole.size - 1)).kind, "need");
      const { serverName } = whole.value;
      if (serverName !== undefined) {
        assert.deepEqual(parseHostname(serverName), { ok: true, value: serverName });
      }
    }
    const reader = new ClientHelloReader();
    let decided = false;
    for (let at = 0; at < bytes.length; at += 1 + random.below(40)) {
      const answer = reader.read(bytes.subarray(0, at));
      if (decided || answer.kind !== "need") assert.deepEqual(answer, whole, `cut at ${at}`);
      decided ||= answer.kind !== "need";
    }
    assert.deepEqual(reader.read(bytes), whole);
  },
};
