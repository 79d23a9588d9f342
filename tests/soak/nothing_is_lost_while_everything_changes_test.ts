import assert from "node:assert/strict";
import { join } from "node:path";
import { createClient } from "../../lib/client/mod.ts";
import { createServerIdentity, issueCertificate } from "../support/certificates.ts";
import { connectTls } from "../support/clients.ts";
import { eventually } from "../support/deadline.ts";
import { createRandom, type Random } from "../support/fuzz.ts";
import { startHttpBackend } from "../support/l7.ts";
import { readUsage, type Usage } from "../support/leaks.ts";
import { buildCountryMmdb } from "../support/mmdb.ts";
import { ROOT } from "../support/module_graph.ts";
import { unusedPorts } from "../support/ports.ts";
import { type Proxy, startProxy } from "../support/proxy.ts";
import { Chaos } from "./chaos.ts";
import { IdleConnections, NamedBackend, runStream } from "./streams.ts";

/**
 * How long the disturbed part takes, in seconds: a quick look by default, hours before a release.
 */
const SECONDS = Number(Deno.env.get("SOAK_SECONDS") ?? 10);
const SEED = Number(Deno.env.get("FUZZ_SEED") ?? Math.floor(Math.random() * 2 ** 31));

const ACTIVE = 200;
const HTTP_CLIENTS = 4;
/** A worker's heap keeps what it grew to; what leaks grows on. */
const MEMORY_SLACK_BYTES = 64 * 1024 * 1024;
const MEMORY_FACTOR = 1.3;
/** Descriptors that come and go by themselves: the database's journal, a log, a scrape. */
const DESCRIPTOR_SLACK = 8;

const IDLE = await idleConnections();

/** 5,000, or as many as the limit of descriptors allows: each takes two here and two in the proxy. */
async function idleConnections(): Promise<number> {
  const limits = await Deno.readTextFile("/proc/self/limits").catch(() => "");
  const [, most = "0"] = /^Max open files\s+\d+\s+(\d+)/m.exec(limits) ?? [];
  return Math.max(0, Math.min(5000, Math.floor((Number(most) - 2000) / 2)));
}

/** Streams of one run, by how they ended. */
interface Tally {
  complete: number;
  cut: number;
  readonly wrong: string[];
}

/** One client after the other on the same names; none of them may see what it must not. */
async function stream(
  port: number,
  names: readonly string[],
  { stop, chaos, random, counted }: Traffic,
): Promise<void> {
  while (!stop()) {
    const name = random.pick(names);
    const start = performance.now();
    const end = await runStream(port, name, () => random.below(1e6) / 1e6);
    if (end === "complete") counted.complete++;
    else if (end !== "cut") counted.wrong.push(end.wrong);
    else if (name === "flap.test" || chaos.explainsCut(start, performance.now())) counted.cut++;
    else counted.wrong.push(`${name}: cut without a cause`);
    if (end === "cut") await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** HTTP over the l7 route, one connection for each request. */
async function browse(port: number, ca: string, { stop, chaos, counted }: Traffic): Promise<void> {
  while (!stop()) {
    const start = performance.now();
    try {
      await using client = await connectTls({ port, servername: "web.test", ca });
      await client.write("GET / HTTP/1.1\r\nHost: web.test\r\nConnection: close\r\n\r\n");
      const { text } = await client.readToEnd();
      if (!/^HTTP\/1\.1 200 [^]*I am web\.test/.test(text)) throw new Error(`answered ${text}`);
      counted.complete++;
    } catch (error) {
      if (chaos.explainsCut(start, performance.now())) counted.cut++;
      else counted.wrong.push(`web.test: ${error}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** What every client of a run shares. */
interface Traffic {
  readonly stop: () => boolean;
  readonly chaos: Chaos;
  readonly random: Random;
  readonly counted: Tally;
}

/** Everything at once for a time; then nothing is left open. */
async function disturb(
  seconds: number,
  { port, ca, chaos, random }: { port: number; ca: string; chaos: Chaos; random: Random },
): Promise<Tally> {
  const counted: Tally = { complete: 0, cut: 0, wrong: [] };
  await using idle = new IdleConnections(port, "one.test");
  await idle.fill(IDLE);
  const end = performance.now() + seconds * 1000;
  const stop = () => performance.now() > end || counted.wrong.length > 0;
  const traffic = { stop, chaos, random, counted };
  const refill = async () => {
    while (!stop()) {
      await idle.fill(IDLE);
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  };
  await Promise.all([
    chaos.run(stop),
    refill(),
    ...Array.from(
      { length: ACTIVE },
      () => stream(port, ["one.test", "two.test", "a.wild.test", "flap.test"], traffic),
    ),
    ...Array.from({ length: HTTP_CLIENTS }, () => browse(port, ca, traffic)),
  ]);
  return counted;
}

/** Waits until descriptors are back; memory is compared by the caller. */
async function settled(proxy: Proxy, before: Usage): Promise<Usage> {
  await eventually(
    async () => (await readUsage(proxy.pid)).descriptors <= before.descriptors + DESCRIPTOR_SLACK,
    `descriptors return to ${before.descriptors}`,
    60_000,
  );
  return await readUsage(proxy.pid);
}

Deno.test({
  name: `${IDLE} idle and ${ACTIVE} active connections for ${SECONDS} s: no octet lost, no wrong ` +
    `route, no leak, no acknowledged change forgotten (seed ${SEED})`,
  ignore: Deno.build.os !== "linux",
  async fn() {
    const random = createRandom(SEED);
    const identity = await createServerIdentity("web.test");
    const certificates = [identity];
    for (let i = 0; i < 2; i++) {
      const options = { dnsNames: ["web.test"], usages: ["server"] } as const;
      certificates.push({ ...identity, ...await issueCertificate(identity.authority, options) });
    }
    const ports = await unusedPorts(5);
    const [port = 0, one = 0, two = 0, wild = 0, flap = 0] = ports;
    await using first = new NamedBackend("one.test", one);
    await using second = new NamedBackend("two.test", two);
    await using third = new NamedBackend("a.wild.test", wild);
    await using flapping = new NamedBackend("flap.test", flap);
    await using web = await startHttpBackend("http1", (_request, response) => {
      response.end("I am web.test");
    });
    const folder = await Deno.realPath(await Deno.makeTempDir());
    const listenerAddr = `127.0.0.1:${port}`;
    const start = () =>
      startProxy({
        folder,
        script: join(ROOT, "tests/soak/killable_proxy.ts"),
        config: {
          server: { workers: 2 },
          grpc: { addr: join(folder, "admin.sock") },
          firewall: { geoip_db: join(folder, "geo.mmdb"), blocked_countries: ["DE"] },
          listeners: [{
            addr: listenerAddr,
            routes: [
              { hostname: "one.test", backend: first.address },
              { hostname: "two.test", backend: second.address },
              { hostname: "*.wild.test", backend: third.address },
              { hostname: "flap.test", backend: flapping.address },
              {
                hostname: "web.test",
                backend: web.address,
                mode: "l7",
                tls_cert: join(folder, "web.pem"),
                tls_key: join(folder, "web.key"),
              },
            ],
          }],
        },
      });
    try {
      await Deno.writeFile(join(folder, "geo.mmdb"), buildCountryMmdb({ "10.0.0.0/8": "DE" }));
      await Deno.writeTextFile(join(folder, "web.pem"), identity.certPem);
      await Deno.writeTextFile(join(folder, "web.key"), identity.keyPem);
      const proxy = await start();
      using admin = createClient({ socketPath: join(folder, "admin.sock") });
      await admin.getStatus({});
      const before = await readUsage(proxy.pid);
      const chaos = new Chaos({ proxy, admin, listenerAddr, flapping, certificates, random });
      const run = { port, ca: identity.ca, chaos, random };
      const warmUp = await disturb(SECONDS / 3, run);
      assert.deepEqual(warmUp.wrong, []);
      const warm = await settled(proxy, before);
      const counted = await disturb(SECONDS, run);
      assert.deepEqual(counted.wrong, []);
      assert.ok(counted.complete > SECONDS * 10, JSON.stringify(counted));
      const after = await settled(proxy, before);
      assert.ok(
        after.residentBytes < warm.residentBytes * MEMORY_FACTOR + MEMORY_SLACK_BYTES,
        `memory grew from ${warm.residentBytes} to ${after.residentBytes}`,
      );
      assert.ok(proxy.events("worker died").length > 0);
      for (const event of Object.keys(chaos.done)) assert.ok((chaos.done[event] ?? 0) > 0, event);
      await killAndCompare(proxy, { start, listenerAddr, folder, chaos });
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

/** kill -9 in the middle of mutations; every acknowledged one is there after the restart. */
async function killAndCompare(
  proxy: Proxy,
  { start, listenerAddr, folder, chaos }: {
    start: () => Promise<Proxy>;
    listenerAddr: string;
    folder: string;
    chaos: Chaos;
  },
): Promise<void> {
  const socketPath = join(folder, "admin.sock");
  {
    using admin = createClient({ socketPath });
    const killed = new Promise((resolve) => setTimeout(resolve, 300))
      .then(() => proxy.stop("SIGKILL"));
    for (let i = 0;; i++) {
      const hostname = `k${i}.churn.test`;
      try {
        await admin.addRoute({ listenerAddr, hostname, backend: "127.0.0.1:1" });
      } catch {
        break; // It is dead.
      }
      chaos.acknowledged.add(hostname);
    }
    await killed;
  }
  await using _restarted = await start();
  using admin = createClient({ socketPath });
  const { routes } = await admin.listRoutes({ listenerAddr });
  const present = new Set(routes.map(({ hostname }) => hostname));
  const forgotten = [...chaos.acknowledged].filter((hostname) => !present.has(hostname));
  assert.deepEqual(forgotten, []);
  assert.ok(chaos.acknowledged.size > 10);
}
