import assert from "node:assert/strict";
import { BackendBoard } from "../../../lib/control/backend_board.ts";
import { CertificateStore } from "../../../lib/certificates/mod.ts";
import * as differences from "../../../lib/control/differences.ts";
import { planState } from "../../../lib/control/plan.ts";
import { ServedState } from "../../../lib/control/served_state.ts";
import { StateAdministration } from "../../../lib/control/state_administration.ts";
import { RouteFilesCheck } from "../../../lib/control/route_files_check.ts";
import { compileListeners } from "../../../lib/control/stored_listeners.ts";
import { RouteMaterials } from "../../../lib/control/route_materials.ts";
import { type Database, openMemoryDatabase } from "../../../lib/db/mod.ts";
import { compileFirewall } from "../../../lib/firewall/mod.ts";
import type {
  Change,
  ConnectionQuery,
  Plane,
  RouteCount,
  Snapshot,
} from "../../../lib/plane/mod.ts";
import type { RouteSettings } from "../../../lib/state/mod.ts";
import { createServerIdentity } from "../../support/certificates.ts";

const ADDR = "127.0.0.1:4443";
const OTHER = "127.0.0.1:4444";
const OPERATION = { actor: "uid 0", action: "Apply" };
const identity = await createServerIdentity("*.test");
const NOW = 1_000_000;

const readFile = (path: string) =>
  Promise.resolve(new TextEncoder().encode(path === "c.pem" ? identity.certPem : identity.keyPem));

const L4: RouteSettings = { hostname: "a.test", backend: "10.0.0.1:443", mode: "l4" } as never;
const L7 = { ...L4, mode: "l7", tlsCert: "c.pem", tlsKey: "k.pem" } as RouteSettings;

/** A state over a database in memory and a plane that notes what it is told. */
async function setUp(fill: (database: Database) => void) {
  const database = openMemoryDatabase();
  database.addListener({ addr: ADDR });
  fill(database);
  const applied: Change[][] = [];
  const closed: ConnectionQuery[] = [];
  const live: RouteCount[] = [];
  const plane = {
    apply: (changes: readonly Change[]) => {
      applied.push([...changes]);
      return Promise.resolve({ pendingWorkers: [] });
    },
    liveTraffic: () => Promise.resolve(live),
    closeConnections: (query: ConnectionQuery) => {
      closed.push(query);
      return Promise.resolve(1);
    },
  } as unknown as Plane;
  const log = () => {};
  const snapshot: Snapshot = {
    settings: { connectTimeoutMs: 1000, idleTimeoutMs: 1000 },
    firewall: { rules: compileFirewall([]) },
    listeners: await compileListeners(database.listeners(), database),
  };
  const state = new ServedState({
    ...{ database, plane, snapshot, log },
    now: () => NOW,
    board: new BackendBoard({ now: () => 0, log: () => {} }),
    materials: new RouteMaterials({
      store: new CertificateStore({ readFile, now: () => NOW }),
      log,
    }),
  });
  const dispose = () => database[Symbol.dispose]();
  return { database, state, applied, closed, live, [Symbol.dispose]: dispose };
}

const kinds = (applied: readonly Change[][]) => applied.map((each) => each.map(({ kind }) => kind));

Deno.test("ServedState brings the certificates of a route along before the route", async () => {
  using it = await setUp(() => {});
  const { state, applied } = it;
  await state.exclusive(() => state.commit([differences.addRoute(ADDR, L7)], OPERATION));
  assert.deepEqual(kinds(applied), [["tls", "routes"]]);
  assert.equal(state.snapshot.tls?.length, 1);
  const again = { ...L7, hostname: "b.test" };
  await state.exclusive(() => state.commit([differences.addRoute(ADDR, again)], OPERATION));
  assert.deepEqual(kinds(applied)[1], ["routes"], "those are there already");
});

Deno.test("ServedState forgets the routes of a listener with it", async () => {
  using it = await setUp((db) => {
    db.addRoute(db.addListener({ addr: OTHER }).id, L4 as never);
  });
  const { state } = it;
  const gone = state.listener("addr", OTHER);
  assert.equal(state.table(gone.id)?.size, 1);
  await state.exclusive(() => state.commit([differences.removeListener(gone)], OPERATION));
  assert.equal(state.table(gone.id), undefined);
  assert.throws(() => state.listener("addr", OTHER), { code: "not_found" });
});

Deno.test("an update that leaves l7 takes the policies of the route along", async () => {
  using it = await setUp((db) => {
    const [listener] = db.listeners();
    const { id } = db.addRoute(listener?.id ?? 0, L7 as never);
    db.policies.add(id, { type: "block_user_agent", value: "x-key" });
  });
  const { database, state } = it;
  const listener = state.listener("addr", ADDR);
  const route = state.route(listener, "a.test");
  assert.equal(route.policies?.length, 1);
  const update = differences.updateRoute(listener, route, L4);
  await state.exclusive(() => state.commit([update], OPERATION));
  assert.deepEqual(state.route(listener, "a.test").policies ?? [], []);
  assert.equal(database.policies.list(route.id).length, 0);
});

Deno.test("planState() does not bring back rules that have ended, at the very moment too", async () => {
  using it = await setUp(() => {});
  const { state } = it;
  const rule = (value: string, expiresAt?: number) => ({
    ...{ type: "ip", value, description: "" },
    ...expiresAt !== undefined && { expiresAt },
  });
  const rules = [
    rule("192.0.2.1", NOW - 1),
    rule("192.0.2.2", NOW),
    rule("192.0.2.3", NOW + 1),
    rule("192.0.2.4"),
  ];
  const planned = await planState({ rules } as never, {
    state,
    tls: new RouteFilesCheck({ readFile }),
    rateLimit: { limit: 0, windowMs: 1000 },
    now: NOW,
  });
  assert.deepEqual(planned.map(({ subject }) => subject), ["ip 192.0.2.3", "ip 192.0.2.4"]);
});

Deno.test("apply() closes the connections of what was replaced, and none that came since", async () => {
  using it = await setUp((db) => {
    const [listener] = db.listeners();
    db.addRoute(listener?.id ?? 0, L4 as never);
  });
  const { state, closed, live } = it;
  live.push({ listener: ADDR, route: "a.test", connections: 2, bytesIn: 0, bytesOut: 0 });
  const administration = new StateAdministration({
    state,
    firewall: { rateLimit: { limit: 0, windowMs: 1000 } } as never,
    expiry: { schedule() {} } as never,
    readFile,
    now: () => NOW,
  });
  const [listener] = state.snapshot.listeners;
  const wanted = (backend: string) =>
    ({
      listeners: [{
        ...listener,
        routes: [{ ...state.route(listener as never, "a.test"), backend }],
      }],
    }) as never;
  const kept = await administration.apply(
    wanted("10.0.0.2:443"),
    { dryRun: false, close: false },
    OPERATION,
  );
  assert.deepEqual([kept.closed, closed], [0, []]);
  const options = { dryRun: false, close: true };
  const done = await administration.apply(wanted("10.0.0.3:443"), options, OPERATION);
  assert.equal(done.closed, 1);
  assert.deepEqual(closed, [{ listenerId: listener?.id, route: "a.test", stale: true }]);
});
