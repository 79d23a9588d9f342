import assert from "node:assert/strict";
import { join } from "node:path";
import { startEchoBackend } from "../support/backends.ts";
import { connectRaw } from "../support/clients.ts";
import { eventually } from "../support/deadline.ts";
import { buildClientHello } from "../support/hello.ts";
import { buildCountryMmdb } from "../support/mmdb.ts";
import { type Proxy, startProxy } from "../support/proxy.ts";

const hello = buildClientHello({ serverName: "a.test" });
const BLOCKING = buildCountryMmdb({ "127.0.0.0/8": "DE" });
const ALLOWING = buildCountryMmdb({ "127.0.0.0/8": "XB" });

async function startBlocking(backend: string, settings = {}): Promise<Proxy> {
  return await startProxy({
    files: { "geo.mmdb": BLOCKING },
    config: (folder) => ({
      server: { workers: 2 },
      listeners: [{ addr: "127.0.0.1:0", routes: [{ hostname: "a.test", backend }] }],
      firewall: { geoip_db: join(folder, "geo.mmdb"), blocked_countries: ["DE"] },
      ...settings,
    }),
  });
}

async function isBlocked(port: number): Promise<boolean> {
  await using client = await connectRaw({ port });
  client.end(hello);
  return (await client.readToEnd()).ending === "reset";
}

/** Reloads, and waits for the log to say how it went. */
async function reload(proxy: Proxy, message: string): Promise<void> {
  const before = proxy.events(message).length;
  proxy.process.signal("SIGHUP");
  await eventually(() => proxy.events(message).length > before, message);
}

const RELOADED = "GeoIP database reloaded";
const KEPT = "GeoIP database not reloaded, the old one stays in use";

Deno.test("SIGHUP puts a new GeoIP database in force in every worker", async () => {
  await using backend = await startEchoBackend();
  await using proxy = await startBlocking(backend.address);
  const file = join(proxy.folder, "geo.mmdb");
  for (let i = 0; i < 6; i++) assert.equal(await isBlocked(proxy.port()), true);
  await Deno.writeFile(file, ALLOWING);
  assert.equal(await isBlocked(proxy.port()), true, "a file that was overwritten changes nothing");
  await reload(proxy, RELOADED);
  for (let i = 0; i < 6; i++) assert.equal(await isBlocked(proxy.port()), false);
});

Deno.test("SIGHUP with a broken, truncated or missing file keeps the database in use", async () => {
  await using backend = await startEchoBackend();
  await using proxy = await startBlocking(backend.address);
  const file = join(proxy.folder, "geo.mmdb");
  const broken: (() => Promise<void>)[] = [
    () => Deno.writeFile(file, ALLOWING.subarray(0, ALLOWING.length / 2)),
    () => Deno.writeTextFile(file, "no database"),
    () => Deno.writeTextFile(file, ""),
    () => Deno.remove(file),
  ];
  for (const spoil of broken) {
    await spoil();
    await reload(proxy, KEPT);
    for (let i = 0; i < 4; i++) assert.equal(await isBlocked(proxy.port()), true);
  }
  await Deno.writeFile(file, ALLOWING);
  await reload(proxy, RELOADED);
  assert.equal(await isBlocked(proxy.port()), false);
});

Deno.test("signals in quick succession, and SIGHUP during a drain, do no harm", async () => {
  await using backend = await startEchoBackend();
  const proxy = await startBlocking(backend.address, { proxy: { shutdown_timeout: "20s" } });
  await Deno.writeFile(join(proxy.folder, "geo.mmdb"), ALLOWING);
  for (let i = 0; i < 20; i++) proxy.process.signal("SIGHUP");
  await eventually(async () => !await isBlocked(proxy.port()), "the last reload is in force");
  await using client = await connectRaw({ port: proxy.port() });
  await client.write(hello);
  await client.read(hello.length);
  proxy.process.signal("SIGTERM");
  await eventually(() => proxy.events("draining").length === 1, "the drain begins");
  proxy.process.signal("SIGHUP");
  await client.write("during the drain");
  assert.equal(await client.readText(16), "during the drain");
  client.end();
  assert.equal((await client.readToEnd()).ending, "end");
  assert.equal((await proxy.process.exited).code, 0);
  await proxy[Symbol.asyncDispose]();
});
