import assert from "node:assert/strict";
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import {
  ApplyRequestSchema,
  GetStatusResponseSchema,
  StateSchema,
} from "../../../lib/admin/gen/mod.ts";
import { decodeInSteps, encodeInSteps } from "../../../lib/rpc/mod.ts";
import { runAtOnce } from "../../../lib/slices/mod.ts";

const numbers = (count: number) => Array.from({ length: count }, (_, i) => i);

/** Lists in messages in lists, scalars on both sides of them, and parts that are empty. */
function wanted(count: number): MessageInitShape<typeof ApplyRequestSchema> {
  const routes = numbers(count).map((i) => ({
    route: { hostname: `h${i}.example`, backend: "192.0.2.1:443", mode: i % 2 ? "l7" : "" },
    policies: numbers(i % 3).map((j) => ({ type: "block_user_agent", value: `bot ${j}` })),
  }));
  const rules = numbers(count).map((i) => ({ type: "ip", value: `192.0.2.${i}` }));
  return {
    state: {
      listeners: {
        listeners: [
          { listener: { addr: ":443" }, routes },
          { listener: { addr: ":444" }, routes: [] },
          { listener: { addr: ":445" }, routes: routes.slice(1) },
        ],
      },
      firewall: { rules },
      rateLimit: { limit: 20, window: durationFromMs(1500) },
    },
    dryRun: true,
    ifRevision: 7n,
  };
}

Deno.test("decodeInSteps() gives what decoding the whole gives, however small its steps", () => {
  for (const count of [0, 1, 40]) {
    const whole = create(ApplyRequestSchema, wanted(count));
    const octets = toBinary(ApplyRequestSchema, whole);
    for (const atOnce of [1, 2, 7, 64, 1000, undefined]) {
      assert.deepEqual(runAtOnce(decodeInSteps(ApplyRequestSchema, octets, atOnce)), whole);
    }
  }
});

Deno.test("decodeInSteps() reads maps, numbers and times as a whole decoder does", () => {
  const status = create(GetStatusResponseSchema, {
    status: {
      version: "1",
      uptime: durationFromMs(12),
      counters: { accepted: 3n, refused: 4n },
      listeners: numbers(30).map((i) => ({ addr: `:${i}`, routeCount: i })),
      warnings: ["a", "b"],
    },
  });
  const octets = toBinary(GetStatusResponseSchema, status);
  for (const atOnce of [1, 16]) {
    assert.deepEqual(runAtOnce(decodeInSteps(GetStatusResponseSchema, octets, atOnce)), status);
  }
});

Deno.test("decodeInSteps() merges a message that comes twice, as the encoding wants it", () => {
  const parts = [wanted(3), { state: { firewall: { rules: [{ type: "ip", value: "::1" }] } } }];
  const octets = parts.map((it) => toBinary(ApplyRequestSchema, create(ApplyRequestSchema, it)));
  const joined = new Uint8Array(octets.flatMap((it) => [...it]));
  const expected = fromBinary(ApplyRequestSchema, joined);
  assert.equal(expected.state?.firewall?.rules.length, 4);
  assert.deepEqual(runAtOnce(decodeInSteps(ApplyRequestSchema, joined, 1)), expected);
});

Deno.test("decodeInSteps() refuses what a whole decoder refuses: cut octets, lengths that lie", () => {
  const octets = toBinary(ApplyRequestSchema, create(ApplyRequestSchema, wanted(5)));
  const attempt = (decode: () => unknown) => {
    try {
      return { value: decode() };
    } catch {
      return "refused";
    }
  };
  let refused = 0;
  for (let length = 0; length < octets.length; length++) {
    const cut = octets.subarray(0, length);
    const flipped = octets.slice();
    flipped[length] = (flipped[length] ?? 0) ^ 0x91;
    for (const bytes of [cut, flipped]) {
      const found = attempt(() => runAtOnce(decodeInSteps(ApplyRequestSchema, bytes, 4)));
      // A field that reaches out of the message that it is in is refused here, and not there.
      if (found !== "refused") {
        assert.deepEqual(found, attempt(() => fromBinary(ApplyRequestSchema, bytes)));
      } else refused++;
    }
  }
  assert.ok(refused > octets.length, `${refused} refused`);
});

Deno.test("encodeInSteps() gives octets that decode to the message, however small its steps", () => {
  for (const count of [0, 1, 40]) {
    const whole = create(ApplyRequestSchema, wanted(count));
    for (const atOnce of [1, 2, 39, undefined]) {
      const octets = runAtOnce(encodeInSteps(ApplyRequestSchema, wanted(count), atOnce));
      assert.deepEqual(fromBinary(ApplyRequestSchema, octets), whole);
      // A message that was made already, too.
      const again = runAtOnce(encodeInSteps(ApplyRequestSchema, whole, atOnce));
      assert.deepEqual(fromBinary(ApplyRequestSchema, again), whole);
    }
  }
});

Deno.test("no step of a large message is a large part of it", () => {
  const state = create(StateSchema, wanted(5000).state);
  const octets = toBinary(StateSchema, state);
  const steps = (work: Generator) => [...work].length;
  assert.ok(steps(decodeInSteps(StateSchema, octets)) > 40);
  assert.ok(steps(encodeInSteps(StateSchema, state)) > 100);
});
