import assert from "node:assert/strict";
import { join } from "node:path";
import { createClient } from "../../lib/client/mod.ts";
import { parseResolvConf } from "../../lib/dns/mod.ts";
import { startEchoBackend } from "../support/backends.ts";
import { connectRaw, connectTls } from "../support/clients.ts";
import { eventually } from "../support/deadline.ts";
import { type Asked, DnsServer, respondWith } from "../support/dns_server.ts";
import { HOST, identity, startHttpBackend, startL7 } from "../support/l7.ts";
import { buildClientHello } from "../support/hello.ts";
import { startProxy } from "../support/proxy.ts";

const HANGING = 100;
const CHANGES = 20;

/** A proxy whose backends are known by names that `behave` resolves. */
async function start(behave: (asked: Asked) => readonly Uint8Array[]) {
  const stack = new AsyncDisposableStack();
  const backend = stack.use(await startEchoBackend());
  const dns = stack.use(DnsServer.start(behave));
  const backendOf = (name: string) => `${name}:${backend.port}`;
  const hanging = Array.from({ length: HANGING }, (_, i) => ({
    hostname: `hang${i}.test`,
    backend: backendOf(`hang${i}.back.test`),
  }));
  const proxy = stack.use(
    await startProxy({
      config: (folder) => ({
        grpc: { addr: join(folder, "admin.sock") },
        resolver: { servers: [`127.0.0.1:${dns.port}`] },
        firewall: { rate_limit: 0 },
        listeners: [{
          addr: "127.0.0.1:0",
          routes: [
            ...hanging,
            { hostname: "a.test", backend: backendOf("a.back.test") },
            { hostname: "b.test", backend: backendOf("b.back.test") },
            { hostname: "local.test", backend: backendOf("localhost") },
          ],
        }],
      }),
    }),
  );
  const port = proxy.port();
  return {
    dns,
    proxy,
    /** Whether a connection for a name is relayed both ways. */
    async reaches(serverName: string): Promise<boolean> {
      const hello = buildClientHello({ serverName });
      await using client = await connectRaw({ port });
      client.end(hello);
      return (await client.readToEnd()).bytes.length === hello.length;
    },
    /** Opens a connection for a name and leaves it alone. */
    async ask(serverName: string) {
      const client = await connectRaw({ port });
      await client.write(buildClientHello({ serverName }));
      return client;
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

function quick(asked: Asked): readonly Uint8Array[] {
  return asked.name.startsWith("hang") ? [] : respondWith(asked, "127.0.0.1", 1);
}

Deno.test("a hundred names that hang delay no other name, nor addresses and localhost", async () => {
  await using it = await start(quick);
  const clients = await Promise.all(
    Array.from({ length: HANGING }, (_, i) => it.ask(`hang${i}.test`)),
  );
  await eventually(
    () => new Set(it.dns.asked.map(({ name }) => name)).size >= HANGING,
    "all of them are asked for",
  );
  // While they hang: their deadline is five seconds, that of a question two.
  for (const name of ["a.test", "b.test", "local.test"]) {
    const before = performance.now();
    assert(await it.reaches(name), name);
    assert(performance.now() - before < 1500, `${name} does not wait for those that hang`);
  }
  assert.equal(
    it.proxy.events("connection").filter(({ sni }) => `${sni}`.startsWith("hang")).length,
    0,
  );
  for (const client of clients) await client[Symbol.asyncDispose]();
});

Deno.test("a black hole for a name server delays no change, and SIGTERM goes past it", async () => {
  await using it = await start(() => []);
  using client = createClient({ socketPath: join(it.proxy.folder, "admin.sock") });
  const isAsked = (name: string) => it.dns.asked.some((asked) => asked.name.startsWith(name));
  const waiting = await Promise.all(
    Array.from({ length: HANGING - CHANGES }, (_, i) => it.ask(`hang${i}.test`)),
  );
  await eventually(
    () => waiting.every((_, i) => isAsked(`hang${i}.`)),
    "all of them are asked for",
  );
  const listenerAddr = "127.0.0.1:0";
  for (let i = 0; i < CHANGES; i++) {
    const sni = `hang${HANGING - CHANGES + i}.test`;
    waiting.push(await it.ask(sni));
    await eventually(() => isAsked(sni.replace("test", "")), `${sni} is asked for`);
    const hostname = `new${i}.test`;
    const added = await client.addRoute({ listenerAddr, hostname, backend: `new${i}.back.test:1` });
    assert.deepEqual(added.pendingWorkers, [], "it is in effect");
    await client.getStatus({});
    const isOver = it.proxy.events("connection").some((event) => event.sni === sni);
    assert(!isOver, "the change did not wait for the name that hangs");
  }
  assert(await it.reaches("local.test"));
  for (const one of waiting) await one[Symbol.asyncDispose]();
  assert.equal(await it.proxy.stop(), 0);
});

Deno.test("a name stays reachable while its servers are silent, and is found again afterwards", async () => {
  await using it = await start((asked) => respondWith(asked, "127.0.0.1", 1));
  assert(await it.reaches("a.test"));
  it.dns.behave = () => [];
  await new Promise((resolve) => setTimeout(resolve, 1200)); // The answer is over.
  for (let i = 0; i < 5; i++) assert(await it.reaches("a.test"));
  assert.equal(await it.reaches("b.test"), false);
  it.dns.behave = (asked) => respondWith(asked, "127.0.0.1", 1);
  await eventually(() => it.reaches("b.test"), "the other name is found");
});

Deno.test("an l7 route's backend is resolved like that of any other", async () => {
  await using backend = await startHttpBackend("http1", (_, response) => response.end("ok"));
  const port = backend.address.split(":").at(-1);
  await using dns = DnsServer.start((asked) => respondWith(asked, "127.0.0.1"));
  await using proxy = await startL7({
    backend: `back.test:${port}`,
    resolver: {
      hosts: new Map(),
      resolvConf: parseResolvConf(""),
      servers: [{ hostname: "127.0.0.1", port: dns.port }],
    },
  });
  const { ca } = await identity();
  await using client = await connectTls({ port: proxy.port, servername: HOST, ca });
  await client.write(`GET / HTTP/1.1\r\nHost: ${HOST}\r\nConnection: close\r\n\r\n`);
  assert.match((await client.readToEnd()).text, /^HTTP\/1\.1 200 /);
  assert.equal(dns.count("back.test", 1), 1);
});
