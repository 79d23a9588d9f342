import assert from "node:assert/strict";
import { statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { HistoryStore, type PastConnection } from "../../../lib/history/mod.ts";
import { temporaryFolder } from "../../support/temporary_folder.ts";

const NOW = Date.parse("2026-06-01T12:00:00Z");
const HOUR = 3_600_000;
const DAY = 24 * HOUR;

const past = (client: string, changes: Partial<PastConnection> = {}): PastConnection => ({
  ...{ time: NOW, client, listener: ":443", sni: "a.example", route: "a.example" },
  ...{ backend: "10.0.0.1:443", rule: "", identity: "", outcome: "relayed", reason: "" },
  ...{ bytesIn: 1, bytesOut: 2, durationMs: 3, count: 1, ...changes },
});

function open(settings: { days?: number; megabytes?: number } = {}) {
  const folder = temporaryFolder();
  const path = join(folder.path, "history.db");
  const { store } = HistoryStore.open({ path, days: 7, megabytes: 16, ...settings });
  const clients = (query: Partial<Parameters<HistoryStore["find"]>[0]> = {}) =>
    store.find({ sinceMs: 0, limit: 100, ...query }).connections.map(({ client }) => client);
  return {
    ...{ store, path, clients },
    [Symbol.dispose]: () => {
      store[Symbol.dispose]();
      folder[Symbol.dispose]();
    },
  };
}

Deno.test("HistoryStore gives back what it was given, to the octet and the millisecond", () => {
  using it = open();
  const connection = past("2001:db8::1", {
    rule: "ip 2001:db8::1 (#3)",
    identity: "o/u",
    count: 9,
  });
  it.store.add([connection], NOW);
  const { connections, oldestMs } = it.store.find({ sinceMs: NOW, limit: 1 });
  assert.deepEqual(connections, [{ ...connection, id: NOW * 1000 }]);
  assert.equal(oldestMs, NOW);
  assert.equal(statSync(it.path).mode & 0o777, 0o600);
});

Deno.test("HistoryStore finds clients by blocks of both families, names, outcomes and time", () => {
  using it = open();
  it.store.add([
    past("192.0.2.1", { time: NOW - 2 * HOUR }),
    past("192.0.3.0", { outcome: "blocked" }),
    past("192.0.2.255", { sni: "b.a.example" }),
    past("2001:db8:1::1"),
    past("2001:db8:2::1", { sni: "" }),
  ], NOW);
  const { clients } = it;
  assert.deepEqual(clients({ client: "192.0.2.0/24" }), ["192.0.2.255", "192.0.2.1"]);
  assert.deepEqual(clients({ client: "192.0.2.1" }), ["192.0.2.1"]);
  assert.deepEqual(clients({ client: "2001:db8:1::/48" }), ["2001:db8:1::1"]);
  assert.deepEqual(clients({ client: "0.0.0.0/0" }), ["192.0.2.255", "192.0.3.0", "192.0.2.1"]);
  assert.deepEqual(clients({ sni: "*.a.example" }), ["192.0.2.255"]);
  assert.deepEqual(clients({ outcomes: ["blocked", "no_route"] }), ["192.0.3.0"]);
  assert.deepEqual(clients({ sinceMs: NOW - HOUR }).includes("192.0.2.1"), false);
  const [first] = it.store.find({ sinceMs: 0, limit: 2 }).connections.slice(-1);
  assert.deepEqual(clients({ beforeId: first?.id ?? 0, limit: 1 }), ["192.0.2.255"]);
});

Deno.test("HistoryStore forgets what is too old, and not before", () => {
  using it = open({ days: 1 });
  it.store.add([past("192.0.2.1", { time: NOW - DAY }), past("192.0.2.2")], NOW);
  assert.deepEqual(it.clients(), ["192.0.2.2", "192.0.2.1"]);
  it.store.add([], NOW);
  assert.deepEqual(it.clients(), ["192.0.2.2", "192.0.2.1"]);
  it.store.add([], NOW + 1);
  assert.deepEqual(it.clients(), ["192.0.2.2"]);
});

Deno.test("HistoryStore stays below its size, and keeps the latest", () => {
  using it = open({ megabytes: 1 });
  const reason = "x".repeat(200);
  for (let batch = 0; batch < 30; batch++) {
    const clients = Array.from(
      { length: 500 },
      (_, i) => past(`10.0.${batch}.${i % 256}`, { reason }),
    );
    it.store.add(clients, NOW);
  }
  const { size } = statSync(it.path);
  assert.ok(size > 0.8 * 1024 * 1024 && size <= 1.2 * 1024 * 1024, `${size} octets`);
  const kept = it.clients({ limit: 20_000 });
  assert.ok(kept.length > 1000 && kept.length < 10_000, `${kept.length} are kept`);
  assert.match(kept[0] ?? "", /^10\.0\.29\./);
});

Deno.test("HistoryStore counts on after the clock was set back", () => {
  using it = open();
  it.store.add([past("192.0.2.1")], NOW);
  it.store.add([past("192.0.2.2", { time: NOW - HOUR })], NOW - HOUR);
  assert.deepEqual(it.clients(), ["192.0.2.2", "192.0.2.1"]);
});

Deno.test("a history that is broken is moved aside, and a new one begins", () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "history.db");
  writeFileSync(
    path,
    "no database at all, and longer than a header of SQLite would be: ".repeat(100),
  );
  const { store, aside } = HistoryStore.open({ path, days: 1, megabytes: 1 });
  using _store = store;
  assert.equal(aside, `${path}.broken`);
  assert.deepEqual(store.find({ sinceMs: 0, limit: 1 }).connections, []);
});

Deno.test("HistoryStore.visits() goes through all clients once, whatever the page", () => {
  using it = open();
  const all = Array.from({ length: 25 }, (_, i) => past(`192.0.2.${i}`));
  it.store.add([
    past("2001:db8::1", { time: NOW - DAY }),
    ...all,
    past("192.0.2.3", { outcome: "blocked", sni: "", count: 4 }),
    past("192.0.2.3", { count: 2 }),
  ], NOW);
  const seen: string[] = [];
  let after: string | undefined;
  do {
    const page = it.store.visits(NOW - HOUR, { after, limit: 4 });
    for (const { client, sni, connections, served } of page.visits) {
      seen.push(`${client} ${sni || "—"} ${connections} ${served}`);
    }
    after = page.next;
  } while (after !== undefined);
  assert.equal(new Set(seen).size, seen.length);
  assert.equal(seen.length, 26);
  assert.deepEqual(seen.filter((it) => it.startsWith("192.0.2.3 ")).sort(), [
    "192.0.2.3 a.example 3 3",
    "192.0.2.3 — 4 0",
  ]);
});
