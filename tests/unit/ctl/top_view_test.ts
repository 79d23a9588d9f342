import assert from "node:assert/strict";
import { create } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { WatchStatusResponseSchema } from "../../../lib/admin/gen/mod.ts";
import { Keys } from "../../../lib/ctl/top_keys.ts";
import { FIRST_CHOICE, type TopChoice } from "../../../lib/ctl/top_choice.ts";
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
      counters: {
        accepted: BigInt(seconds * 10),
        bytes_in: carried,
        bytes_out: carried * 2n,
        relayed: BigInt(seconds),
        no_route: BigInt(seconds * 30),
        backend_timeout: BigInt(seconds * 2),
      },
      responses: { "2xx": BigInt(seconds * 8), "5xx": BigInt(seconds * 3) },
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
    clients: list(sizes.rules, (i) => ({
      key: `203.0.113.${i}`,
      connections: BigInt(1000 - i),
      refused: 900n,
      bytes: 5000n,
      country: "NL",
    })),
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
  assert.match(screen, /backend errors 2\/s {3}2xx 8 4xx 0 5xx 3 \/s$/m);
  assert.match(screen, /^ended\/s no_route 30, backend_timeout 2, relayed 1$/m);
  assert.match(screen, /^203\.0\.113\.0 +1\.0k +900 +5\.0 kB +NL$/m);
  assert.match(screen, /^q quit .*clients by connections .*routes by traffic/m);
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
  const sizes = [[80, 24], [200, 60], [40, 8], [60, 12], [20, 1]] as const;
  for (const [columns, rows] of sizes) {
    const view = { now: look(2, many), before: look(1, many) };
    const lines = renderTop(view, { columns, rows });
    assert.ok(lines.length <= rows, `${lines.length} lines of ${rows}`);
    assert.ok(lines.every((line) => [...line].length <= columns), `${columns} columns`);
  }
  const lines = renderTop({ now: look(2, many), before: look(1, many) }, { columns: 80, rows: 24 });
  assert.equal(lines.filter((line) => /and [0-9]+ more/.test(line)).length, 4);
});

Deno.test("renderTop() is of use at 60 × 12: who comes, where to, who is blocked, and the keys", () => {
  const lines = renderTop({ now: look(2), before: look(1) }, { columns: 60, rows: 12 });
  const screen = lines.join("\n");
  for (
    const part of [/^:0 +1 +5 /m, /^very-long-name-.*… +0 +1 /m, /^203\.0\.113\.0 /m, /^ip 192/m]
  ) {
    assert.match(screen, part);
  }
  assert.equal(lines.length, 12);
  assert.match(lines.at(-1) ?? "", /^q quit/);
});

Deno.test("renderTop() filters rows, orders routes, and names the listener where there are several", () => {
  const [now, before] = [look(2, { listeners: 2, routes: 2, rules: 3 }), look(1)];
  const [first, second] = now.routes;
  if (second !== undefined) Object.assign(second, { hostname: "b.example", activeConnections: 9 });
  const size = { columns: 120, rows: 40 };
  const rows = (choice: Partial<TopChoice>) =>
    renderTop({ now, before }, size, { choice: { ...FIRST_CHOICE, ...choice } });
  const routes = rows({ routesBy: "open" }).filter((line) => /^(b\.example|very)/.test(line));
  assert.match(routes[0] ?? "", /^b\.example +9 .* :0$/);
  assert.ok(first?.hostname.startsWith("very"));
  const filtered = rows({ filter: "192.0.2.1", isTyping: true });
  assert.deepEqual(filtered.filter((line) => /^(ip|203|:0|b\.)/.test(line)).length, 1);
  assert.match(filtered.at(-1) ?? "", /^filter: 192\.0\.2\.1_/);
});

Deno.test("the keys of top choose, type and end", () => {
  const choices: TopChoice[] = [];
  let quits = 0;
  const keys = new Keys({ onQuit: () => quits++, onChoice: (choice) => choices.push(choice) });
  const press = (text: string) => {
    keys.press(new TextEncoder().encode(text));
    return choices.at(-1);
  };
  assert.equal(press("r")?.clientsBy, "refused");
  assert.equal(press("s")?.routesBy, "open");
  assert.equal(press("s")?.routesBy, "new");
  assert.equal(press("s")?.routesBy, "traffic");
  assert.deepEqual([press("/qc\x7f")?.filter, quits], ["q", 0], "letters are text now");
  assert.deepEqual([press("\r")?.isTyping, choices.at(-1)?.filter], [false, "q"]);
  press("\x1b[A");
  assert.equal(press("/a")?.filter, "a");
  assert.deepEqual([press("\x1b")?.filter, choices.at(-1)?.isTyping], ["", false]);
  press("q");
  press("\x03");
  assert.equal(quits, 2);
});
