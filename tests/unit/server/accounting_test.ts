import assert from "node:assert/strict";
import { ipv4 } from "../../../lib/addr/mod.ts";
import { ServedCounts, toEvent } from "../../../lib/server/accounting.ts";
import { Connection } from "../../../lib/server/connection_state.ts";
import type { ActiveListener } from "../../../lib/server/listener.ts";
import type { Route } from "../../../lib/routes/mod.ts";
import { FakeStream } from "../../support/fake_stream.ts";

const at = (listener: string, route: string) => ({ listener, route });

Deno.test("ServedCounts count by listener and route, by backend and outcome, and begin anew when taken", () => {
  const counts = new ServedCounts();
  counts.countEnd(at(":1", "a"));
  counts.countEnd(at(":1", "a"));
  counts.countEnd(at(":2", "a"));
  counts.countTraffic(at(":1", "a"), { bytesIn: 1, bytesOut: 2 });
  counts.countTraffic(at(":1", "b"), { bytesIn: 3, bytesOut: 0 });
  counts.countTraffic(at(":1", "c"), { bytesIn: 0, bytesOut: 0 });
  const served = { ...at(":1", "a"), backend: "b:1", outcome: "ok" } as const;
  counts.countBackend(served);
  counts.countBackend(served);
  counts.countBackend({ ...served, outcome: "backend_timeout" });
  counts.countBackend({ ...served, backend: "b:2" });
  counts.countHit(7);
  assert.deepEqual(counts.take(), {
    ruleHits: [[7, 1]],
    routes: [
      { ...at(":1", "a"), connections: 2, bytesIn: 1, bytesOut: 2 },
      { ...at(":1", "b"), connections: 0, bytesIn: 3, bytesOut: 0 },
      { ...at(":2", "a"), connections: 1, bytesIn: 0, bytesOut: 0 },
    ],
    backends: [
      { ...served, count: 2 },
      { ...served, outcome: "backend_timeout", count: 1 },
      { ...served, backend: "b:2", count: 1 },
    ],
  });
  assert.deepEqual(counts.take(), { ruleHits: [], routes: [], backends: [] });
});

Deno.test("ServedCounts of a backend alone are none of its route", () => {
  const counts = new ServedCounts();
  const served = { ...at(":1", "a"), backend: "b:1", outcome: "ok" } as const;
  counts.countBackend(served);
  const { routes, backends } = counts.take();
  assert.deepEqual([routes, backends], [[], [{ ...served, count: 1 }]]);
});

function connection() {
  return new Connection({
    stream: new FakeStream(),
    listener: { addr: "127.0.0.1:443" } as ActiveListener,
    startedAt: 10,
    peer: { ip: ipv4(0x7f000001), port: 40 },
    idPrefix: "w1",
    sequence: 36,
  });
}

Deno.test("toEvent() has what is known of a connection, and no field for what is not", () => {
  const c = connection();
  assert.deepEqual(toEvent(c, { outcome: "client_gone" }, 11.26), {
    id: "w1-10",
    listener: "127.0.0.1:443",
    peer: "127.0.0.1:40",
    client: "127.0.0.1:40",
    outcome: "client_gone",
    bytesIn: 0,
    bytesOut: 0,
    durationMs: 1.3,
  });
  c.client = { ip: ipv4(0xc0000201), port: 41 };
  c.sni = "a.example";
  c.route = { hostname: "*.example", mode: "mtls", backend: "b:1" } as Route;
  Object.assign(c, { host: "h", identity: "org/user" });
  c.carrier = { bytesIn: 3, bytesOut: 4, cut() {} };
  assert.deepEqual(toEvent(c, { outcome: "blocked", rule: "ip 1 (#2)", reason: "why" }, 10), {
    id: "w1-10",
    listener: "127.0.0.1:443",
    peer: "127.0.0.1:40",
    client: "192.0.2.1:41",
    sni: "a.example",
    route: "*.example",
    mode: "mtls",
    backend: "b:1",
    host: "h",
    identity: "org/user",
    rule: "ip 1 (#2)",
    outcome: "blocked",
    reason: "why",
    bytesIn: 3,
    bytesOut: 4,
    durationMs: 0,
  });
  c.backend = "db:2";
  assert.equal(toEvent(c, { outcome: "relayed" }, 10).backend, "db:2", "where it really went");
});
