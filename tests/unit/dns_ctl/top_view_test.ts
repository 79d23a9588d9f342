import assert from "node:assert/strict";
import { create } from "@bufbuild/protobuf";
import { mcns } from "../../../lib/admin/gen/mod.ts";
import { type Look, renderTop } from "../../../lib/dns_ctl/top_view.ts";

function look(
  at: number,
  addresses: Readonly<Record<string, Readonly<Record<string, number>>>>,
  problem = "",
): Look {
  const status = create(mcns.GetStatusResponseSchema, {
    ...{ version: "1.2.3", zones: 2n, records: 30n, revision: 4n, problem },
    addresses: Object.entries(addresses).map(([address, counters]) => ({
      ...{ address, state: "serving", restarts: 1 },
      counters: Object.entries(counters).map(([name, value]) => ({ name, value: BigInt(value) })),
    })),
  });
  return { status, at };
}

const SIZE = { columns: 100, rows: 30 };

Deno.test("renderTop() shows what changed per second between two looks, the busiest address first", () => {
  const before = look(1000, {
    "192.0.2.1": { "udp_messages": 100, "code_0": 90, "code_3": 10 },
    "192.0.2.2": { "udp_messages": 0 },
  });
  const now = look(3000, {
    "192.0.2.1": { "udp_messages": 104, "code_0": 92, "code_3": 12, "rate_dropped": 6 },
    "192.0.2.2": { "udp_messages": 40, "tcp_messages": 2, "code_0": 42, "connections_open": 3 },
  });
  assert.deepEqual(renderTop({ now, before }, SIZE), [
    "mcns 1.2.3  healthy",
    "zones 2, records 30, revision 4",
    "questions/s 23   forwarded 0, cut off 0, ignored 0",
    "answers/s NOERROR 22, NXDOMAIN 1",
    "over the limit/s 3 dropped, 0 slipped   connections/s 0 new, 0 refused",
    "",
    "ADDRESS    STATE     UDP/S   TCP/S   TLS/S   OPEN   RESTARTS",
    "192.0.2.2  serving      20       1       0      3          1",
    "192.0.2.1  serving       2       0       0      0          1",
    "q quit",
  ]);
});

Deno.test("renderTop() knows no rate after one look, and none that is negative", () => {
  const now = look(
    1000,
    { "192.0.2.1": { "udp_messages": 100, "code_0": 100 } },
    "a worker is away",
  );
  const first = renderTop({ now, before: undefined }, SIZE, "gone");
  assert.equal(first[0], "mcns 1.2.3  NOT HEALTHY: a worker is away");
  assert.equal(first[3], "answers/s none");
  assert.equal(first.at(-1), "gone");
  const before = look(0, { "192.0.2.1": { "udp_messages": 900, "code_0": 900 } });
  assert.match(renderTop({ now, before }, SIZE)[2] ?? "", /^questions\/s 0 /);
});

Deno.test("renderTop() fits every terminal, and says what it leaves out", () => {
  const many = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`192.0.2.${i}`, {}]));
  const view = { now: look(0, many, "x".repeat(300)), before: undefined };
  for (let rows = 1; rows < 40; rows++) {
    for (const columns of [20, 40, 120]) {
      const lines = renderTop(view, { rows, columns });
      assert(lines.length <= Math.max(1, rows), `${lines.length} lines of ${rows}`);
      assert(lines.every((line) => line.length <= columns), `${columns}`);
    }
  }
  assert(renderTop(view, { rows: 12, columns: 80 }).includes("  and 17 more"));
});
