import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { type AttackedProxy, startAttackedProxy } from "../support/attacked_proxy.ts";
import { Attacker, ATTACKS_ON, type Place } from "../support/attacks/mod.ts";
import { eventually } from "../support/deadline.ts";
import { beHonest, HonestClient, type Service } from "../support/honest.ts";
import {
  CAN_READ_USAGE,
  readUsage,
  socketsReturnTo,
  type Usage,
  watchStarvation,
} from "../support/leaks.ts";

/**
 * In seconds: a quarter of it is how long all attacks of a place last at once, twice, so that
 * `SOAK_SECONDS=7200` makes hours; each by itself lasts a twentieth of it, 1.5 s at most. Half a
 * second is some hundred answers to an honest client.
 */
const SECONDS = Number(Deno.env.get("SOAK_SECONDS") ?? 10);
const ATTACK_MS = Math.min(SECONDS * 50, 1500);
const ALL_MS = SECONDS * 250;
/** How long an honest client asks by itself before each, which is forty answers at least. */
const ALONE_MS = 200;
/** `SOAK_ATTACK=reset` runs those with that in their names, `SOAK_TELL=1` says what was seen. */
const ONLY = Deno.env.get("SOAK_ATTACK") ?? "";
const TELL = Deno.env.has("SOAK_TELL");
/** `SOAK_PRIORITY=-15` puts all that is measured before others who use the machine (sched(7)). */
const PRIORITY = Deno.env.get("SOAK_PRIORITY") ?? "";
/** Until sockets are closed: those that nobody reads have the idle timeout, in milliseconds. */
const CLOSED_MS = 30_000;
/** Processes that make all attacks at once. */
const GANGS = 4;
/**
 * How much longer an answer may take beside an attack. It waits for the turn of the connections
 * before it, three times on its way, which a proxy that idles does not.
 */
const MAX_RATIO = 12;
/** Below this the first measurement is a matter of luck, in milliseconds. */
const LEAST_P95_MS = 4;
/** Connections to backends over HTTP/1.1 that are kept for the next requests, for some seconds. */
const MAX_KEPT_SOCKETS = 64;
/** And over HTTP/2, for longer: as many as a pool opens. */
const MAX_H2_SOCKETS = 32;
/** What a second round of all attacks at once may add to resident memory, with uncollected garbage. */
const MEMORY_SLACK_BYTES = 64 * 1024 * 1024;

/** 19 of 20 answers come within the time they took alone, but for what somebody else's work took. */
function assertServed(alone: Service, beside: Service, starvation: number): void {
  assert.deepEqual(beside.failed, []);
  assert.ok(beside.asked > 0);
  const allowed = Math.max(alone.p95, LEAST_P95_MS) * MAX_RATIO * starvation;
  assert.ok(
    beside.p95 <= allowed,
    `19 of 20 answers within ${beside.p95.toFixed(1)} ms, alone ${alone.p95.toFixed(1)} ms, ` +
      `starvation ${starvation.toFixed(2)}`,
  );
}

/** Attacks beside an honest client, which is served as it was alone; what was seen. */
async function withstand(
  { proxy, pids, target }: AttackedProxy,
  gangs: readonly Attacker[],
  names: readonly string[],
  forMs: number,
): Promise<string> {
  await using client = await HonestClient.connect(target.port);
  const alone = await client.ask(ALONE_MS);
  assert.deepEqual(alone.failed, []);
  const before = await readUsage(proxy.pid);
  let isStarting = true;
  const starting = beginAll(gangs, names).finally(() => isStarting = false);
  // A connection without requests would be closed, as it takes time until all are done.
  while (isStarting) assert.deepEqual((await client.ask(100)).failed, []);
  const attacking = await starting;
  const starved = await watchStarvation(pids);
  const beside = await client.ask(forMs);
  const starvation = await starved();
  const worst = await readUsage(proxy.pid);
  const done = await Promise.all(attacking.map((gang) => gang.end()));
  assertServed(alone, beside, starvation);
  if (names.length === 1) assert.ok(Number(done[0]) > 0, "it was done");
  await socketsReturnTo(
    proxy.pid,
    { ...before, sockets: before.sockets + MAX_KEPT_SOCKETS },
    CLOSED_MS,
  );
  assert.deepEqual(proxy.process.lines.filter((line) => line.includes('"level":"ERROR"')), []);
  return `p95 ${alone.p95.toFixed(1)} -> ${beside.p95.toFixed(1)} ms of ${beside.asked}, ` +
    `starved ${starvation.toFixed(2)}, done ${done}, ${tell(before)} -> ${tell(worst)}`;
}

/** Begins the attacks, each in one of the processes; those that have any. */
async function beginAll(
  gangs: readonly Attacker[],
  names: readonly string[],
): Promise<readonly Attacker[]> {
  const attacking = gangs.slice(0, names.length);
  await Promise.all(
    attacking.map((gang, at) => gang.begin(names.filter((_, i) => i % gangs.length === at))),
  );
  return attacking;
}

/** All attacks for a while, so that what a round of them needs has been taken once. */
async function rehearse(gangs: readonly Attacker[], names: readonly string[], forMs: number) {
  const attacking = await beginAll(gangs, names);
  await delay(forMs);
  await Promise.all(attacking.map((gang) => gang.end()));
}

function tell({ sockets, descriptors, residentBytes }: Usage): string {
  const mebibytes = (residentBytes / 1048576).toFixed(0);
  return `${sockets} sockets, ${descriptors} descriptors, ${mebibytes} MiB`;
}

/**
 * What a process opens once, thirty seconds after its start: the thread that brings the database's log
 * into it, with its event queues and its two files.
 */
const ONCE_DESCRIPTORS = 7;

/** Everything is as it was after the first round of all attacks at once. */
async function assertForgotten({ proxy }: AttackedProxy, first: Usage): Promise<string> {
  await socketsReturnTo(proxy.pid, first, CLOSED_MS);
  const within = first.residentBytes + MEMORY_SLACK_BYTES;
  let last = await readUsage(proxy.pid);
  await eventually(
    async () => (last = await readUsage(proxy.pid)).residentBytes <= within,
    `resident memory returns to ${tell(first)}`,
  );
  const most = first.descriptors + ONCE_DESCRIPTORS;
  assert.ok(last.descriptors <= most, `${tell(first)} -> ${tell(last)}`);
  return `${tell(first)} -> ${tell(last)}`;
}

async function say(told: string): Promise<void> {
  if (TELL) await Deno.stderr.write(new TextEncoder().encode(`\n  ${told}\n`));
}

for (const place of Object.keys(ATTACKS_ON) as Place[]) {
  const attacks = ATTACKS_ON[place].filter((name) => name.includes(ONLY));
  Deno.test({
    name: `honest clients are served beside attackers: ${place}`,
    ignore: !CAN_READ_USAGE || attacks.length === 0,
    // The attackers' processes leave the reading of their output to the collector.
    sanitizeOps: false,
    sanitizeResources: false,
    fn: async (t) => {
      await using attacked = await startAttackedProxy(place);
      await using processes = new AsyncDisposableStack();
      const gangs = Array.from(
        { length: Math.min(GANGS, attacks.length) },
        () => processes.use(new Attacker(attacked.target)),
      );
      for (const pid of PRIORITY === "" ? [] : attacked.pids) {
        await Deno.writeTextFile(`/proc/${pid}/autogroup`, PRIORITY);
      }
      await beHonest(attacked.target.port, 500);
      const idle = await readUsage(attacked.proxy.pid);
      for (const name of attacks) {
        await t.step(
          name,
          async () => await say(await withstand(attacked, gangs, [name], ATTACK_MS)),
        );
      }
      const allMs = attacks.length > GANGS ? ALL_MS : ATTACK_MS;
      await rehearse(gangs, attacks, allMs);
      // Heaps and pools have grown to what a round of all of them needs and stay there: what
      // another round adds is a leak.
      const kept = place === "http1" ? 0 : MAX_H2_SOCKETS;
      const { sockets, descriptors } = idle;
      await socketsReturnTo(attacked.proxy.pid, { ...idle, sockets: sockets + kept }, CLOSED_MS);
      const { residentBytes } = await readUsage(attacked.proxy.pid);
      const grown = { sockets: sockets + kept, descriptors: descriptors + kept, residentBytes };
      await say(`${tell(idle)} -> ${tell(grown)}`);
      await t.step("all of them at once", async () => {
        await say(await withstand(attacked, gangs, attacks, allMs));
      });
      await t.step("and nothing of it stays", async () => {
        await say(await assertForgotten(attacked, grown));
      });
    },
  });
}
