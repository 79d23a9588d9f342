import assert from "node:assert/strict";
import { octetsOf, octetString, timersIn, TYPE } from "../../lib/dns/mod.ts";
import {
  boundedTimers,
  Notifier,
  Secondary,
  type SecondaryOptions,
  Turns,
} from "../../lib/replication/mod.ts";
import { zoneRecords } from "../../lib/transfer/mod.ts";
import { concat, u16, u32 } from "../../lib/wire/mod.ts";
import { AuthoritativeAnswers, type Zone, ZoneTable } from "../../lib/zones/mod.ts";
import { eventually } from "../support/deadline.ts";
import { nameOf } from "../support/dns_server.ts";
import { LyingPrimary, wholeTransfer } from "../support/lying_primary.ts";
import { frame } from "../support/served_zones.ts";
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

/** Follows one server without a key, and has a version of the zone already. */
function unsignedCopy(port: number, options: Partial<SecondaryOptions> = {}): Copy {
  const copy = new Copy([], {
    primaries: [{ hostname: "127.0.0.1", port }],
    ...options,
  });
  copy.zone = zone();
  return copy;
}

/** With serial 8, and one name more. */
const newer = () => changedZone(zone(), adding("newer")).zone;

Deno.test("a transfer that is cut off at any octet leaves the zone as it was", async () => {
  let cutAt = 0;
  let octets = 0;
  await using primary = await LyingPrimary.start(newer(), async (connection, asked) => {
    const whole = wholeTransfer(newer(), asked.octets);
    octets = whole.length;
    for (let at = 0; at < cutAt;) at += await connection.write(whole.subarray(at, cutAt));
  });
  using copy = unsignedCopy(primary.port);
  do {
    await copy.secondary.refresh();
    // A question that fails is asked once more, as a whole.
    assert.deepEqual([copy.zone?.serial, copy.kinds], [7, []], `cut at ${cutAt}`);
    cutAt++;
  } while (cutAt < octets);
  assert.ok(octets > 100, `${octets}`);
  assert.equal(copy.secondary.status.failures, octets);
  await copy.secondary.refresh();
  assert.deepEqual([copy.zone?.serial, copy.kinds], [8, ["whole"]]);
  assert.deepEqual([copy.secondary.status.failures, copy.secondary.status.lastError], [0, ""]);
});

Deno.test("a transfer that comes octet by octet is the same zone", async () => {
  await using primary = await LyingPrimary.start(newer(), async (connection, asked) => {
    connection.setNoDelay(true);
    for (const octet of wholeTransfer(newer(), asked.octets)) {
      await connection.write(Uint8Array.of(octet));
    }
  });
  using copy = unsignedCopy(primary.port);
  await copy.secondary.refresh();
  assert.equal(copy.zone?.serial, 8);
});

Deno.test("a primary that goes back, says nothing, or does not end is not followed", async () => {
  const silence = Promise.withResolvers<void>();
  await using primary = await LyingPrimary.start(
    zoneOf("z.example.", APEX.replace(" 7 ", " 6 ")),
    () => silence.promise,
  );
  using copy = unsignedCopy(primary.port, { silenceMs: 250 });
  await copy.secondary.refresh();
  assert.match(copy.secondary.status.lastError, /the serial 6, before our 7/);
  primary.zone = newer();
  await copy.secondary.refresh();
  assert.match(copy.secondary.status.lastError, /says nothing for 250 ms/);
  silence.resolve();
  assert.equal(copy.secondary.status.failures, 2);
  using other = unsignedCopy(primary.port, { maxOctets: 100_000 });
  let sent = 0;
  primary.lie = async (connection, { id }) => {
    const header = (count: number) => [u16(id), u16(0x8400), u16(0), u16(count), u16(0), u16(0)];
    const [soa] = zoneRecords(newer());
    const data = octetsOf(soa?.data ?? "");
    const begin = concat(...header(1), ZONE, u16(6), u16(1), u32(1), u16(data.length), data);
    const record = concat(nameOf("a.z.example"), u16(1), u16(1), u32(1), u16(4), u32(7));
    const endless = concat(...header(100), ...Array.from({ length: 100 }, () => record));
    await connection.write(frame(begin));
    for (;;) {
      sent += await connection.write(frame(endless));
      await new Promise((resolve) => setTimeout(resolve, 0)); // The reader's turn.
    }
  };
  await other.secondary.refresh();
  assert.match(other.secondary.status.lastError, /more than 100000 octets/);
  assert.ok(sent < 20_000_000, `${sent}`);
  assert.deepEqual([other.zone?.serial, other.kinds, other.secondary.status.failures], [7, [], 1]);
});

Deno.test("changes that do not fit what is here are asked for as a whole", async () => {
  await using primary = await ZoneServer.start(zone(), { keys: [KEY] });
  using copy = new Copy([primary.port], {
    apply: (result) => {
      copy.kinds.push(result.kind);
      if (result.kind === "steps") return Promise.reject(new RangeError("they do not fit"));
      copy.zone = zoneOfRecords(octetString(ZONE), result.records);
      return Promise.resolve();
    },
  });
  copy.zone = zone();
  primary.change(adding("new"));
  await copy.secondary.refresh();
  assert.deepEqual([copy.kinds, copy.zone?.serial], [["steps", "whole"], 8]);
  assert.match(String(copy.failures[0]), /do not fit/);
  assert.equal(copy.secondary.status.failures, 0);
});

Deno.test("a zone is had as a whole, whatever its serial, by whoever asks for that", async () => {
  await using primary = await ZoneServer.start(zone(), { keys: [KEY] });
  using copy = new Copy([primary.port]);
  copy.zone = newer();
  await copy.secondary.refresh();
  assert.match(copy.secondary.status.lastError, /before our 8/);
  await copy.secondary.refresh({ isWhole: true });
  assert.deepEqual([copy.kinds, copy.zone?.serial], [["whole"], 7]);
});

Deno.test("news that says nothing new asks nobody, and other news no more than once a second", async () => {
  await using primary = await ZoneServer.start(zone(), { keys: [KEY] });
  let current = 0;
  using copy = new Copy([primary.port], { onCurrent: () => Promise.resolve(void current++) });
  copy.zone = zone();
  await copy.secondary.refresh();
  assert.equal(current, 1);
  copy.secondary.told(7);
  copy.secondary.told(6);
  copy.nowMs += 400;
  assert.deepEqual(copy.waits, [3600]);
  copy.secondary.told(undefined);
  assert.deepEqual(copy.waits, [3600, 0.6]);
  copy.nowMs += 600;
  copy.secondary.told(8);
  await eventually(() => current === 2, "it asks");
});

Deno.test("a datagram that is lost is asked for again", async () => {
  let asked = 0;
  const socket = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  const answers = new AuthoritativeAnswers();
  const serving = (async () => {
    for await (const [octets, from] of socket) {
      if (++asked < 3) continue;
      const zones = new ZoneTable([zone()]);
      const answer = answers.answer(octets, { zones, transport: "udp" });
      if (answer !== undefined) await socket.send(answer, from);
    }
  })();
  const { port } = socket.addr as Deno.NetAddr;
  using copy = unsignedCopy(port, { udpWaitsMs: [20, 20, 10_000] });
  await copy.secondary.refresh();
  assert.deepEqual([asked, copy.secondary.status.lastError], [3, ""]);
  socket.close();
  await serving;
});

Deno.test("turns are taken by so many at one time, in their order", async () => {
  const turns = new Turns(2);
  const begun: number[] = [];
  const ends = Array.from({ length: 4 }, () => Promise.withResolvers<void>());
  const all = ends.map(({ promise }, i) =>
    turns.take(async () => {
      begun.push(i);
      await promise;
      if (i === 0) throw new Error("it fails");
    }).catch(() => {})
  );
  await Promise.resolve();
  assert.deepEqual(begun, [0, 1]);
  ends[0]?.resolve();
  await all[0];
  await eventually(() => begun.length === 3, "the next one begins");
  for (const { resolve } of ends) resolve();
  await Promise.all(all);
  assert.deepEqual(begun, [0, 1, 2, 3]);
});

Deno.test("the timers of a zone are kept within bounds, and it does not expire before it is asked for", () => {
  const timers = (refresh: number, retry: number, expire: number) =>
    Object.values(boundedTimers({ refresh, retry, expire }));
  assert.deepEqual(timers(3600, 600, 86_400), [3600, 600, 86_400]);
  assert.deepEqual(timers(0, 0, 0), [5, 5, 11]);
  assert.deepEqual(timers(2 ** 31, 2 ** 31, 2 ** 31), [604_800, 86_400, 365 * 86_400]);
  assert.deepEqual(timers(3600, 600, 4200), [3600, 600, 4201]);
});
