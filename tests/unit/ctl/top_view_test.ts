import assert from "node:assert/strict";
import { create } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { WatchStatusResponseSchema } from "../../../lib/admin/gen/mod.ts";
import { renderTop } from "../../../lib/ctl/top_view.ts";

/** A look after `seconds` at a proxy with some listeners, routes and rules. */
function look(seconds: number, sizes = { listeners: 1, routes: 1, rules: 1 }) {
  const carried = BigInt(seconds * 1000);
  const list = <T>(length: number, item: (i: number) => T) =>
    Array.from({ length }, (_, i) => item(i));
  return create(WatchStatusResponseSchema, {
    status: {
      version: "1.2.3",
      healthy: true,
      uptime: durationFromMs(seconds * 1000),
      activeConnections: 3,
      counters: { accepted: BigInt(seconds * 10), bytes_in: carried, bytes_out: carried * 2n },
      workers: [{ index: 0, state: "serving" }, { index: 1, state: "dead", restarts: 4 }],
      listeners: list(sizes.listeners, (i) => ({
        addr: `:${i}`,
        activeConnections: 1,
        totalConnections: BigInt(seconds * 5),
        bytesIn: carried,
        bytesOut: carried,
      })),
      firewall: {
        topRules: list(sizes.rules, (i) => ({
          id: BigInt(i),
          type: "ip",
          value: `192.0.2.${i}`,
          hits: BigInt(seconds * 7),
          reason: "scan\x1b[2J",
        })),
      },
    },
    routes: list(sizes.routes, (i) => ({
      listenerAddr: ":0",
      hostname: `${"very-long-name-".repeat(4)}${i}.example`,
      totalConnections: BigInt(seconds),
      bytesIn: carried,
      bytesOut: 0n,
    })),
  });
}

Deno.test("renderTop() shows rates between two looks", () => {
  const screen = renderTop({ now: look(12), before: look(10) }, { columns: 80, rows: 24 }).join(
    "\n",
  );
  assert.match(screen, /mc-proxy 1\.2\.3 {2}up 12s {2}healthy/);
  assert.match(screen, /3 open {2}10\/s new {3}traffic 1\.0 kB\/s in {2}2\.0 kB\/s out/);
  assert.match(screen, /workers 1\/2 serving, 4 restarts/);
  assert.match(screen, /^:0 +1 +5 +1\.0 kB +1\.0 kB$/m);
  assert.match(screen, /^ip 192\.0\.2\.0 +84 +7 +scan \[2J$/m);
});

Deno.test("renderTop() has no rates at the first look and none below zero", () => {
  const first = renderTop({ now: look(12), before: undefined }, { columns: 80, rows: 24 });
  assert.match(first[1] ?? "", / 0\/s new/);
  const restarted = renderTop({ now: look(1), before: look(10) }, { columns: 80, rows: 24 });
  assert.match(restarted[1] ?? "", / 0\/s new/);
});

Deno.test("renderTop() fits any terminal and says what it leaves out", () => {
  const many = { listeners: 30, routes: 50, rules: 10 };
  for (
    const size of [{ columns: 80, rows: 24 }, { columns: 200, rows: 60 }, { columns: 40, rows: 8 }]
  ) {
    const lines = renderTop({ now: look(2, many), before: look(1, many) }, size);
    assert.ok(lines.length <= size.rows, `${lines.length} lines`);
    assert.ok(lines.every((line) => [...line].length <= size.columns), JSON.stringify(size));
  }
  const lines = renderTop({ now: look(2, many), before: look(1, many) }, { columns: 80, rows: 24 });
  assert.equal(lines.filter((line) => /and [0-9]+ more/.test(line)).length, 3);
});
