import assert from "node:assert/strict";
import { ipFromBytes } from "../../lib/addr/mod.ts";
import { encodeProxyV2, parseProxyHeader, type SocketAddress } from "../../lib/proxyproto/mod.ts";
import { fuzzTest } from "../support/fuzz.ts";
import { testTarget } from "../support/fuzz_target.ts";
import { PROXYPROTO } from "./targets/proxyproto.ts";

const ROUNDS = 15_000;

testTarget(PROXYPROTO);

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
