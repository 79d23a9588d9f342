/**
 * What grows with a fleet: many followers of one group, which are everything of a proxy that speaks to
 * PostgreSQL and nothing else, and a group with many routes, which a whole proxy joins.
 *
 *     deno run -A bench/fleet/scale.ts followers [10 50 100 200 …]
 *     deno run -A bench/fleet/scale.ts routes [1000 10000 100000 …]
 *
 * @module
 */
// deno-lint-ignore-file no-console -- this is how it answers
import {
  FleetLink,
  type FleetLinkOptions,
  listenToGroup,
  put,
  type Report,
} from "../../lib/fleet/mod.ts";
import { eventually } from "../../tests/support/deadline.ts";
import {
  createFleet,
  inStep,
  linkOptions,
  plainRoute,
  startMember,
} from "../../tests/support/fleet.ts";
import { unusedPort } from "../../tests/support/ports.ts";
import { startPostgres, type TestPostgres } from "../../tests/support/postgres.ts";
import { temporaryFolder } from "../../tests/support/temporary_folder.ts";

const CHANGES = 100;
const PAUSE_MS = 100;
const BEAT_MS = 1_000;
const WAIT_MS = 120_000;

/** A proxy of the group, as PostgreSQL sees it. */
class Follower implements AsyncDisposable {
  revision = 0;
  readonly at = new Map<number, number>();
  readonly #link: FleetLink;
  readonly #listening: AsyncDisposable;
  readonly #beat: ReturnType<typeof setInterval>;
  #looking: Promise<void> | undefined;
  #isAsked = false;

  constructor(options: FleetLinkOptions) {
    this.#link = new FleetLink(options);
    this.#listening = listenToGroup({
      server: options.server,
      channel: () => this.#link.channel(),
      onRevision: () => this.#look(),
      onAttention: () => {},
      onProblem: () => {},
    });
    this.#beat = setInterval(() => {
      this.#look();
      this.#report().catch(() => {});
    }, BEAT_MS);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#beat);
    await this.#listening[Symbol.asyncDispose]();
    await this.#link[Symbol.asyncDispose]();
  }

  #look(): void {
    this.#isAsked = true;
    this.#looking ??= this.#follow().catch(() => {}).finally(() => this.#looking = undefined);
  }

  async #follow(): Promise<void> {
    while (this.#isAsked) {
      this.#isAsked = false;
      const head = await this.#link.head(this.revision);
      if (head.revision === this.revision) continue;
      const { entries } = await this.#link.follow(this.revision);
      for (const { revision } of entries) this.at.set(revision, performance.now());
      this.revision = entries.at(-1)?.revision ?? this.revision;
      await this.#report();
    }
  }

  async #report(): Promise<void> {
    const report: Report = {
      ...{ version: "0.0.0-bench", epoch: 1, revision: this.revision },
      ...{ health: "", uptimeMs: 0 },
    };
    const said = { shared: "{}", status: "{}", known: new Map() };
    await this.#link.exchange(report, said);
  }
}

async function manyFollowers(server: TestPostgres, count: number): Promise<void> {
  await using stack = new AsyncDisposableStack();
  // As many as these log in at once here, and from one process.
  const deadlineMs = WAIT_MS;
  const options = { ...linkOptions(server, { role: "p2" }), deadlineMs };
  const followers = Array.from(
    { length: count },
    (_, i) => stack.use(new Follower({ ...options, proxy: `f${i}` })),
  );
  await using writer = new FleetLink({ ...linkOptions(server, { role: "p1" }), deadlineMs });
  await append(writer, 0);
  const isHeard = () => followers.every(({ revision }) => revision === 1);
  await eventually(isHeard, "all have heard of it", WAIT_MS);
  const cpu = await secondsOf(server);
  const [started, appended] = [performance.now(), new Map<number, number>()];
  for (let i = 1; i <= CHANGES; i++) {
    appended.set(await append(writer, i), performance.now());
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  const isThere = () => followers.every(({ revision }) => revision === CHANGES + 1);
  await eventually(isThere, "all are there", WAIT_MS);
  const tookS = (performance.now() - started) / 1000;
  const busy = (await secondsOf(server) - cpu) / tookS;
  const last = [...appended].map(([revision, at]) =>
    Math.max(...followers.map((it) => it.at.get(revision) ?? Infinity)) - at
  );
  const [row] = await server.run(`SELECT count(*)::int AS count FROM pg_stat_activity
    WHERE application_name LIKE 'mc-proxy%'`);
  console.log(
    `${count} followers: the last has a revision after ${shares(last)}; PostgreSQL keeps ` +
      `${busy.toFixed(2)} cores busy at ${(CHANGES / tookS).toFixed(1)} changes a second, ` +
      `${row?.count} connections`,
  );
}

async function append(link: FleetLink, after: number): Promise<number> {
  const route = plainRoute(`r${after}.example`);
  const done = await link.append({
    ...{ id: crypto.randomUUID(), epoch: 1, after, time: Date.now(), actor: "bench" },
    ...{ action: "Bench", audit: [["route", "", ""]] },
    edits: [put({ kind: "route", addr: ":443", route })],
  });
  if (done.status !== "done") throw new Error(done.status);
  return done.revision;
}

async function manyRoutes(server: TestPostgres, count: number): Promise<void> {
  using one = temporaryFolder();
  using two = temporaryFolder();
  await using first = await startMember(server, {
    ...{ role: "p1", folder: one.path, port: await unusedPort() },
  });
  const stored = first.control.state.database.state().listeners ?? [];
  const routes = Array.from({ length: count }, (_, i) => plainRoute(`r${i}.example`));
  const whole = { listeners: stored.map((it) => ({ ...it, routes })) };
  const by = { actor: "bench", action: "Bench" };
  const appliedMs = await timed(() =>
    first.control.wholeState.apply(whole as never, {} as never, by)
  );
  const listeners = [{ name: "edge", addr: first.addr }];
  await using link = new FleetLink({ ...linkOptions(server, { role: "p2" }), listeners });
  let octets = 0;
  const readMs = await timed(async () => {
    octets = JSON.stringify((await link.snapshot()).objects).length;
  });
  const before = Deno.memoryUsage().rss;
  const begun = performance.now();
  await using second = await startMember(server, {
    ...{ role: "p2", folder: two.path, port: await unusedPort() },
  });
  const joinedMs = performance.now() - begun;
  const grown = (Deno.memoryUsage().rss - before) / 1e6;
  const changed: number[] = [];
  const everywhere: number[] = [];
  for (let i = 0; i < 20; i++) {
    const route = plainRoute(`late${i}.example`);
    const asked = performance.now();
    await first.control.routing.addRoute(first.addr, route, by);
    const done = performance.now();
    await inStep([first, second], first.revision);
    changed.push(done - asked);
    everywhere.push(performance.now() - done);
  }
  console.log(
    `${count} routes: set by one change in ${Math.round(appliedMs)} ms; the whole is ` +
      `${(octets / 1e6).toFixed(1)} MB and read in ${Math.round(readMs)} ms; a proxy joins in ` +
      `${Math.round(joinedMs)} ms and takes ${Math.round(grown)} MB; a change is acknowledged ` +
      `after ${shares(changed)}, and at the other after ${shares(everywhere)} more`,
  );
}

async function timed(body: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await body();
  return performance.now() - started;
}

function shares(times: readonly number[]): string {
  const sorted = times.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.floor(share * (sorted.length - 1))]?.toFixed(0);
  return `${at(0.5)} ms (p99 ${at(0.99)})`;
}

/** Of processor time that PostgreSQL and those of its processes that have ended have taken. */
async function secondsOf(server: TestPostgres): Promise<number> {
  const [row] = await server.run("SELECT pg_read_file('postmaster.pid') AS text");
  const parent = Number(String(row?.text).split("\n", 1)[0]);
  const children = await Deno.readTextFile(`/proc/${parent}/task/${parent}/children`);
  let ticks = 0;
  for (const pid of [parent, ...children.trim().split(" ")]) {
    const text = await Deno.readTextFile(`/proc/${pid}/stat`).catch(() => "");
    const fields = text.split(") ")[1]?.split(" ") ?? [];
    ticks += Number(fields[11] ?? 0) + Number(fields[12] ?? 0);
  }
  return ticks / 100;
}

const [what = "followers", ...sizes] = Deno.args;
for (const size of sizes.map(Number)) {
  await using server = await startPostgres({
    settings: ["fsync=on", "max_connections=2000", "shared_buffers=128MB"],
  });
  await createFleet(server, { edge: ["p1", "p2"] });
  if (what === "followers") await manyFollowers(server, size);
  else await manyRoutes(server, size);
}
