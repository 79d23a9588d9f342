import assert from "node:assert/strict";
import { parseHostname } from "../../lib/addr/mod.ts";
import { ClientHelloReader, MAX_CLIENT_HELLO, parseClientHello } from "../../lib/sni/mod.ts";
import { fuzzTest, mutate, type Random } from "../support/fuzz.ts";
import { buildClientHello, type HelloOptions } from "../support/hello.ts";

const ROUNDS = 8_000;

function randomOptions(random: Random): HelloOptions {
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

/** What must hold for any octets at all. */
function checkInvariants(bytes: Uint8Array, random: Random): void {
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
}

fuzzTest("parseClientHello() survives mutated hellos and never depends on the cuts", (random) => {
  for (let round = 0; round < ROUNDS; round++) {
    checkInvariants(mutate(buildClientHello(randomOptions(random)), random), random);
  }
});

fuzzTest("parseClientHello() survives octets that only begin like TLS", (random) => {
  for (let round = 0; round < ROUNDS; round++) {
    const bytes = random.bytes(random.below(300));
    bytes.set([22, 3, 1, 0].slice(0, bytes.length));
    if (bytes.length > 5) bytes[5] = 1;
    checkInvariants(bytes, random);
  }
});

fuzzTest("parseClientHello() reads every hello that is well-formed", (random) => {
  for (let round = 0; round < ROUNDS / 4; round++) {
    const options = randomOptions(random);
    const hello = parseClientHello(buildClientHello(options));
    assert(hello.kind === "ok");
    const name = options.extensions === false ? undefined : options.serverName;
    const want = typeof name === "string" ? name.toLowerCase().replace(/\.$/, "") : undefined;
    assert.equal(hello.value.serverName, want);
  }
});
