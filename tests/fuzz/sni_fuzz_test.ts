import assert from "node:assert/strict";
import { parseClientHello } from "../../lib/sni/mod.ts";
import { fuzzTest } from "../support/fuzz.ts";
import { testTarget } from "../support/fuzz_target.ts";
import { buildClientHello } from "../support/hello.ts";
import { randomHello, SNI } from "./targets/sni.ts";

testTarget(SNI);

fuzzTest("parseClientHello() reads every hello that is well-formed", (random) => {
  for (let round = 0; round < 2000; round++) {
    const options = randomHello(random);
    const hello = parseClientHello(buildClientHello(options));
    assert(hello.kind === "ok");
    const name = options.extensions === false ? undefined : options.serverName;
    const want = typeof name === "string" ? name.toLowerCase().replace(/\.$/, "") : undefined;
    assert.equal(hello.value.serverName, want);
  }
});
