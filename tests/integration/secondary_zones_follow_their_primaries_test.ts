import assert from "node:assert/strict";
import { octetString, timersIn, TYPE } from "../../lib/dns/mod.ts";
import { Notifier, Secondary, type SecondaryOptions } from "../../lib/replication/mod.ts";
import { zoneRecords } from "../../lib/transfer/mod.ts";
import type { Zone } from "../../lib/zones/mod.ts";
import { eventually } from "../support/deadline.ts";
import { nameOf } from "../support/dns_server.ts";
import { APEX, zoneOf } from "../support/zone_samples.ts";
import { changedZone, keyNamed, zoneOfRecords, ZoneServer } from "../support/zone_server.ts";

const ZONE = nameOf("z.example");
const KEY = keyNamed("xfr-key");
const adding = (name: string) => ({
  removed: [],
  added: [{
    ...{ name: octetString(nameOf(`${name}.z.example`)), type: TYPE.A, ttl: 300 },
    data: "\xc0\x00\x02\x01",
  }],
  hasSerial: false,
});
/** Refresh 3600, retry 600, expire 86400. */
const zone = () =>
  zoneOf("z.example.", `${APEX}a1 A 192.0.2.1\na2 A 192.0.2.2\na3 A 192.0.2.3\na4 A 192.0.2.4\n`);

/** A copy of a zone that follows, and whose time is moved by hand. */
class Copy implements Disposable {
  zone: Zone | undefined;
  nowMs = Date.now();
  /** What it waits for, in seconds. */
  waits: number[] = [];
  readonly kinds: string[] = [];
  readonly expired: boolean[] = [];
  readonly failures: unknown[] = [];
  readonly secondary: Secondary;

  constructor(ports: readonly number[], options: Partial<SecondaryOptions> = {}) {
    this.zone = undefined;
    this.secondary = new Secondary({
      zone: ZONE,
      primaries: ports.map((port) => ({ hostname: "127.0.0.1", port, key: KEY })),
      held: () => this.zone && heldOf(this.zone),
      apply: (result) => {
        this.kinds.push(result.kind);
        if (result.kind === "whole") {
          this.zone = zoneOfRecords(octetString(ZONE), result.records);
        }
        for (const { removed, added, to } of result.kind === "steps" ? result.steps : []) {
          assert(this.zone !== undefined);
          this.zone = changedZone(this.zone, { removed, added, hasSerial: true }).zone;
          assert.equal(this.zone.serial, to);
        }
        return Promise.resolve();
      },
      onExpired: (isExpired) => void this.expired.push(isExpired),
      onFailure: (error) => void this.failures.push(error),
      now: () => this.nowMs,
      setTimer: (_body, ms) => {
        this.waits.push(ms / 1000);
        return () => {};
      },
      ...options,
    });
  }

  [Symbol.dispose](): void {
    this.secondary[Symbol.dispose]();
  }
}

function heldOf(zone: Zone) {
  const [soa] = zoneRecords(zone);
  assert(soa !== undefined);
  return { serial: zone.serial, timers: timersIn(soa.data) };
}

Deno.test("a secondary takes the zone whole, then what changed, and waits as the zone says", async () => {
  await using primary = await ZoneServer.start(zone(), { keys: [KEY] });
  using copy = new Copy([primary.port]);
  await copy.secondary.refresh();
  assert.equal(copy.zone?.serial, 7);
  await copy.secondary.refresh();
  assert.deepEqual(copy.kinds, ["whole"]);
  primary.change(adding("a"));
  primary.change(adding("b"));
  await copy.secondary.refresh();
  assert.deepEqual(copy.kinds, ["whole", "steps"]);
  assert.equal(copy.zone?.serial, 9);
  assert.equal(copy.zone?.nodes.size, primary.zone.nodes.size);
  assert.deepEqual(copy.waits, [3600, 3600, 3600]);
  assert.deepEqual(copy.failures, []);
});

Deno.test("a secondary asks the next primary, asks again sooner, and lets the zone expire", async () => {
  await using gone = await ZoneServer.start(zone(), { keys: [KEY] });
  const primary = await ZoneServer.start(zone(), { keys: [KEY] });
  const { port } = primary;
  await gone[Symbol.asyncDispose]();
  using copy = new Copy([gone.port, port]);
  await copy.secondary.refresh();
  assert.equal(copy.zone?.serial, 7);
  assert.equal(copy.failures.length, 1);
  await primary[Symbol.asyncDispose]();
  copy.nowMs += 3_600_000;
  await copy.secondary.refresh();
  assert.equal(copy.secondary.status.failures, 1);
  assert.equal(copy.waits.at(-1), 600);
  copy.nowMs += 86_400_000 - 3_600_000 - 1;
  await copy.secondary.refresh();
  assert.deepEqual(copy.expired, []);
  copy.nowMs += 1;
  await copy.secondary.refresh();
  assert.deepEqual(copy.expired, [true]);
  assert.equal(copy.secondary.status.isExpired, true);
  await using back = await ZoneServer.start(zone(), {
    ...{ keys: [KEY], port },
    now: () => Math.floor(copy.nowMs / 1000),
  });
  await copy.secondary.refresh();
  assert.deepEqual(copy.expired, [true, false], String(copy.failures.at(-1)));
  assert.equal(back.transfers.length, 0); // The same serial: nothing to transfer.
});

Deno.test("a secondary that has nothing asks every minute", async () => {
  using copy = new Copy([1]);
  await copy.secondary.refresh();
  assert.deepEqual(copy.waits, [60]);
  assert.equal(copy.zone, undefined);
});

Deno.test("a secondary takes nothing older than it has", async () => {
  await using primary = await ZoneServer.start(zone(), { keys: [KEY] });
  using copy = new Copy([primary.port]);
  copy.zone = changedZone(zone(), adding("newer")).zone;
  await copy.secondary.refresh();
  assert.deepEqual(copy.kinds, []);
  assert.equal(copy.zone.serial, 8);
});

Deno.test("a secondary that is told while it asks asks once more", async () => {
  await using primary = await ZoneServer.start(zone(), { keys: [KEY] });
  let applied = 0;
  using copy = new Copy([primary.port], {
    apply: (result) => {
      if (result.kind === "whole") copy.zone = zoneOfRecords(octetString(ZONE), result.records);
      if (++applied > 1) return Promise.resolve();
      // News comes while the zone is on its way.
      primary.change(adding("late"));
      for (let i = 0; i < 5; i++) void copy.secondary.refresh();
      return Promise.resolve();
    },
  });
  await copy.secondary.refresh();
  assert.equal(applied, 2);
});

Deno.test("a secondary that is closed asks nobody", async () => {
  using copy = new Copy([1]);
  copy.secondary[Symbol.dispose]();
  await copy.secondary.refresh();
  assert.deepEqual([copy.waits, copy.failures], [[], []]);
});

Deno.test("a secondary is told until it hears, five times at most, and newer news replaces older", async () => {
  await using deaf = await ZoneServer.start(zone());
  const silent: number[] = [];
  using notifier = new Notifier({
    ...{ settleMs: 1, firstWaitMs: 1 },
    onSilent: ({ port }) => void silent.push(port),
  });
  const hears = { hostname: "127.0.0.1", port: deaf.port };
  const heard = Promise.withResolvers<void>();
  deaf.onNotify = heard.resolve;
  using patient = new Notifier({ settleMs: 1 });
  patient.notify(ZONE, [hears]);
  patient.notify(ZONE, [hears]);
  await heard.promise;
  await eventually(() => patient.size === 0, "the news is heard");
  assert.equal(deaf.notifies, 1);
  let told = 0;
  const socket = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  const counting = (async () => {
    for await (const _ of socket) told++;
  })();
  const { port } = socket.addr as Deno.NetAddr;
  notifier.notify(ZONE, [{ hostname: "127.0.0.1", port }]);
  await eventually(() => silent.length === 1, "it gives up");
  assert.deepEqual(silent, [port]);
  assert.equal(notifier.size, 0);
  socket.close();
  await counting;
  assert.ok(told <= 5 && told >= 1, `${told}`);
});
