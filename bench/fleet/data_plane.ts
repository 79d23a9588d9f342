/**
 * A proxy of a group, whose state another one changes meanwhile, beside one that is alone: what
 * belonging to a group costs connections.
 *
 *     deno run -A bench/fleet/data_plane.ts [rounds = 5] [seconds = 2]
 *
 * @module
 */
// deno-lint-ignore-file no-console -- this is how it answers
import { createFleet, openLink, plainRoute, ROLE_PASSWORD } from "../../tests/support/fleet.ts";
import { put } from "../../lib/fleet/mod.ts";
import { unusedPorts } from "../../tests/support/ports.ts";
import { startPostgres } from "../../tests/support/postgres.ts";
import { temporaryFolder } from "../../tests/support/temporary_folder.ts";
import { type Load, newConnections, pingPong } from "../l4/load.ts";
import { startMcProxy, type Target } from "../l4/target.ts";

/** Changes of the group, one after the other. */
const PAUSE_MS = 100;

const IDLE_MS = 10_000;

const [rounds = 5, seconds = 2] = Deno.args.map(Number);
await using server = await startPostgres({ settings: ["fsync=on"] });
await createFleet(server, { edge: ["p1", "p2"] });
const [echo = 0, bulk = 0, ...ports] = await unusedPorts(4);
using one = temporaryFolder();
using two = temporaryFolder();
await using backend = new Deno.Command(Deno.execPath(), {
  args: ["run", "--allow-net", "bench/l4/backend.ts", `${echo}`, `${bulk}`],
}).spawn();
await Deno.writeTextFile(`${two.path}/password`, ROLE_PASSWORD);
const to = { echo, bulk, tls: 1 };
const [first = 0, second = 0] = ports;
await using alone = await startMcProxy({ folder: one.path, port: first, to, workers: 1 });
await using member = await startMcProxy({
  ...{ folder: two.path, port: second, to, workers: 1 },
  more: `[state]
source = "postgres"
[state.postgres]
host = "${server.address.host}"
port = ${server.address.port}
database = "${server.address.database}"
user = "p1"
password_file = "${two.path}/password"
tls = false
group = "edge"
[state.local]
name = "p1"
`,
});
const loads = [["new connections", newConnections], ["ping-pong", pingPong]] as const;
for (const [name, load] of loads) await compare(name, load);
await compareIdle();
const isOver = new AbortController();
const started = performance.now();
const changes = changeMeanwhile();
for (const [name, load] of loads) await compare(`${name}, beside changes`, load);
isOver.abort();
const perSecond = await changes / ((performance.now() - started) / 1000);
console.log(`${perSecond.toFixed(1)} changes a second of the group`);
backend.kill();

async function compare(name: string, load: Load): Promise<void> {
  const targets = [alone, member];
  for (const target of targets) await load(target.port, seconds);
  const ratios: number[] = [];
  const costs: number[][] = [[], []];
  for (let round = 0; round < rounds; round++) {
    const [a = 0, b = 0] = [await cost(alone, load), await cost(member, load)];
    costs[0]?.push(a);
    costs[1]?.push(b);
    ratios.push(b / a);
  }
  const median = (values: number[]) => values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;
  const [a = 0, b = 0] = costs.map(median);
  console.log(
    `${name}: ${a.toFixed(1)} µs of CPU each alone, ${b.toFixed(1)} in a group, ` +
      `ratio ${median(ratios).toFixed(3)} (median of ${rounds} pairs)`,
  );
}

/** What each costs when nobody comes, which is part of the figures above. */
async function compareIdle(): Promise<void> {
  const before = [alone, member].map((it) => it.cpuMicros());
  await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
  const [a, b] = [alone, member].map((it, i) => {
    const micros = it.cpuMicros() - (before[i] ?? 0);
    return (micros / IDLE_MS).toFixed(1);
  });
  console.log(`idle: ${a} ms of CPU a second alone, ${b} in a group`);
}

async function cost(target: Target, load: Load): Promise<number> {
  const before = target.cpuMicros();
  const { operations } = await load(target.port, seconds);
  return (target.cpuMicros() - before) / Math.max(1, operations);
}

/** A rule comes and goes, for as long as is measured. */
async function changeMeanwhile(): Promise<number> {
  await using link = openLink(server, { role: "p2" });
  let after = (await link.head(0)).revision;
  let count = 0;
  for (; !isOver.signal.aborted; count++) {
    const route = { ...plainRoute("bench.test"), backend: `127.0.0.1:${1 + count % 60_000}` };
    const appended = await link.append({
      ...{ id: crypto.randomUUID(), epoch: 1, after, time: Date.now(), actor: "bench" },
      ...{ action: "Bench", audit: [["route", "", ""]] },
      edits: [put({ kind: "route", addr: `127.0.0.1:${second}`, route })],
    });
    if (appended.status !== "unfit") after = appended.revision;
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  return count;
}
