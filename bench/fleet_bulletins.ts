/**
 * What it costs PostgreSQL that proxies of a group tell each other how they are, every second: the time of
 * one exchange and the processor time of the server, for so many proxies that are quiet, check backends,
 * or tell of as many clients as they may. Alone on the machine, and one after the other.
 *
 * Run: `deno run -A bench/fleet_bulletins.ts [proxies=100] [seconds=20]`.
 *
 * @module
 */
import { FLEET_SCHEMA, FleetLink, type Neighbour } from "../lib/fleet/mod.ts";
import { startPostgres } from "../tests/support/postgres.ts";

const proxies = Number(Deno.args[0] ?? 100);
const seconds = Number(Deno.args[1] ?? 20);
/** Proxies on one connection each would be what the server is limited by; these take turns. */
const LINKS = 10;
const CLOCK_TICKS = 100;
/** As long as that of a proxy with some backends. */
const STATUS = JSON.stringify({ open: 1, words: "x".repeat(900) });

const key = (i: number) => i.toString(36).padStart(8, "A");
const LOADS: Readonly<Record<string, (i: number, beat: number) => object>> = {
  "quiet": () => ({ checks: { passing: "", failing: "" }, counts: [] }),
  "200 backends each": (i) => {
    const passing = Array.from({ length: 200 }, (_, k) => key(i * 200 + k)).join("");
    return { checks: { passing, failing: "" }, counts: [] };
  },
  "as many clients as may be": (i, beat) => {
    const length = Math.min(100, Math.max(10, Math.floor(1_000 / proxies)));
    const counts = Array.from({ length }, (_, k) => [key(1), `c0a8${i}.${k}.4`, beat + k]);
    return { checks: { passing: "", failing: "" }, counts };
  },
};

await using server = await startPostgres();
await server.run(`${FLEET_SCHEMA}; SELECT mc_proxy_fleet.create_group('edge');
  CREATE ROLE proxy LOGIN PASSWORD 'of a bench'; SELECT mc_proxy_fleet.admit('edge', 'proxy')`);
const { host, port, database } = server.address;
await using links = new AsyncDisposableStack();
const members = Array.from({ length: proxies }, (_, i) => {
  const credentials = { user: "proxy", password: "of a bench" };
  return new FleetLink({
    server: { host, port, database, ...credentials },
    group: "edge",
    proxy: `p${i}`,
  });
});
const open = members.slice(0, LINKS).map((link) => links.use(link));
for (const [name, load] of Object.entries(LOADS)) await measure(name, load);

async function measure(name: string, load: (i: number, beat: number) => object): Promise<void> {
  const times: number[] = [];
  let octets = 0;
  const known = members.map(() => new Map<string, Neighbour>() as ReadonlyMap<string, Neighbour>);
  const before = await processorMs();
  const begin = performance.now();
  for (let beat = 0; beat < seconds; beat++) {
    const due = begin + beat * 1000 - performance.now();
    if (due > 0) await new Promise((resolve) => setTimeout(resolve, due));
    await Promise.all(open.map(async (link, lane) => {
      for (let i = lane; i < members.length; i += LINKS) {
        const shared = JSON.stringify(load(i, beat));
        // Each says to be another one.
        Object.assign(link.options, { proxy: `p${i}` });
        const at = performance.now();
        const said = { version: "bench", epoch: 1, revision: 0, health: "", uptimeMs: 0 };
        const found = await link.exchange(said, {
          ...{ shared, status: STATUS },
          known: known[i] ?? new Map(),
        });
        times.push(performance.now() - at);
        octets += found?.others.reduce((sum, it) => sum + JSON.stringify(it.bulletin).length, 0) ??
          0;
        known[i] = new Map(found?.others.map((it) => [it.proxy, it]));
      }
    }));
  }
  const took = (performance.now() - begin) / 1000;
  const cpu = (await processorMs() - before) / times.length;
  times.sort((a, b) => a - b);
  const at = (share: number) => times[Math.floor(times.length * share)]?.toFixed(1);
  // deno-lint-ignore no-console -- what a bench is for
  console.log(
    `${name}: ${proxies} proxies, exchange p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, ` +
      `${cpu.toFixed(2)} ms of PostgreSQL's processor time each, ${
        (times.length / took).toFixed(0)
      } a second, known to each ${Math.round(octets / times.length / 1024)} KiB`,
  );
}

/** Of all processes of the server, in ms. */
async function processorMs(): Promise<number> {
  let ticks = 0;
  const [row] = await server.run(
    "SELECT pg_backend_pid() AS pid, current_setting('data_directory') AS dir",
  );
  const main = Number((await Deno.readTextFile(`${row?.dir}/postmaster.pid`)).split("\n")[0]);
  for await (const { name } of Deno.readDir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const stat = await Deno.readTextFile(`/proc/${name}/stat`).catch(() => "");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    if (Number(name) !== main && Number(fields[1]) !== main) continue;
    // utime, stime, and those of children that have ended.
    for (const i of [11, 12, 13, 14]) ticks += Number(fields[i]);
  }
  return ticks * 1000 / CLOCK_TICKS;
}
