import assert from "node:assert/strict";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { create } from "@bufbuild/protobuf";
import * as pb from "../../lib/admin/gen/mod.ts";
import { type AdminClient, createClient } from "../../lib/client/mod.ts";
import { startEchoBackend } from "../support/backends.ts";
import { connectWithName } from "../support/named_peer.ts";
import { unusedPort } from "../support/ports.ts";
import { type Proxy, startProxy } from "../support/proxy.ts";

/** A proxy with two workers, and a client of its admin API. */
async function start(
  addr: string,
): Promise<AsyncDisposable & { proxy: Proxy; client: AdminClient }> {
  const proxy = await startProxy({
    config: (folder) => ({
      listeners: [{ addr }],
      grpc: { addr: `${folder}/admin.sock` },
      server: { workers: 2 },
    }),
  });
  const client = createClient({ socketPath: `${proxy.folder}/admin.sock` });
  return {
    proxy,
    client,
    async [Symbol.asyncDispose]() {
      client.close();
      await proxy[Symbol.asyncDispose]();
    },
  };
}

Deno.test("the delayed end of a removed listener's connections spares those of the next listener", async () => {
  const addr = `127.0.0.1:${await unusedPort()}`;
  const port = await unusedPort();
  const second = { addr: `127.0.0.1:${port}` };
  await using backend = await startEchoBackend();
  await using running = await start(addr);
  const { client } = running;
  const route = { listenerAddr: second.addr, hostname: "a.example", backend: backend.address };
  await client.addListener(second);
  await client.addRoute(route);
  await using old = await connectWithName(port, "a.example");
  await old.echo("before");
  const drainTimeout = durationFromMs(1500);
  await client.removeListener({ addr: second.addr, closeConnections: true, drainTimeout });
  await client.addListener(second);
  await client.addRoute(route);
  await using fresh = await connectWithName(port, "a.example");
  await fresh.echo("after");
  await old.ending();
  await fresh.echo("still here");
});

Deno.test("one apply gives a listener another address, with its routes", async () => {
  const port = await unusedPort();
  await using backend = await startEchoBackend();
  await using running = await start(`127.0.0.1:${await unusedPort()}`);
  const { client } = running;
  const [before] = (await client.listListeners({})).listeners;
  const listenerAddr = before?.listener?.addr ?? "";
  await client.addRoute({ listenerAddr, hostname: "a.example", backend: backend.address });
  for (const addr of [`127.0.0.1:${port}`, `0.0.0.0:${port}`, `127.0.0.1:${port}`]) {
    const { state = create(pb.StateSchema) } = await client.exportState({});
    const [entry] = state.listeners?.listeners ?? [];
    assert.ok(entry?.listener);
    entry.listener.addr = addr;
    const { differences } = await client.apply({ state });
    assert.deepEqual(
      differences.map(({ action, kind, subject }) => `${action} ${kind} ${subject}`).slice(1),
      [`add listener ${addr}`, `add route ${addr} a.example`],
    );
    // Both workers: the kernel gives each new connection to either.
    for (let i = 0; i < 6; i++) {
      await using peer = await connectWithName(port, "a.example");
      await peer.echo(addr);
    }
    assert.deepEqual(
      (await client.listRoutes({ listenerAddr: addr })).routes.map(({ hostname }) => hostname),
      ["a.example"],
    );
  }
  assert.equal((await client.getStatus({})).status?.healthy, true);
});

Deno.test("one apply cannot add two listeners that the kernel would share connections out to", async () => {
  const port = await unusedPort();
  await using running = await start(`127.0.0.1:${await unusedPort()}`);
  const { client } = running;
  const { state = create(pb.StateSchema) } = await client.exportState({});
  const listeners = [
    ...state.listeners?.listeners ?? [],
    { listener: { addr: `127.0.0.1:${port}` } },
    { listener: { addr: `0.0.0.0:${port}` } },
  ];
  await assert.rejects(client.apply({ state: { listeners: { listeners } } }), {
    code: "invalid_argument",
    field: "state.listeners[2].listener.addr",
  });
});
