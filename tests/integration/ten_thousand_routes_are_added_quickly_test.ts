import assert from "node:assert/strict";
import { startAdmin } from "../support/admin.ts";
import { startEchoBackend } from "../support/backends.ts";
import { connectWithName } from "../support/named_peer.ts";

const ROUTES = 10_000;
/** So many are there before the first of the others is added by itself: each of these costs a sync. */
const AT_ONCE = 9_500;
const hostname = (i: number) => `host-${i}.example`;

/** Times are printed and not asserted: they depend on the machine. */
function report(what: string, startedAt: number, routes: number): void {
  const ms = performance.now() - startedAt;
  const text = `  ${what}: ${(ms / 1000).toFixed(2)} s, ${
    (ms / routes * 1000).toFixed(0)
  } µs each\n`;
  Deno.stderr.writeSync(new TextEncoder().encode(text));
}

/** A listener with the first so many routes. */
const stateOf = (addr: string, backend: string, routes: number) => ({
  listeners: {
    listeners: [{
      listener: { addr },
      routes: Array.from({ length: routes }, (_, i) => ({
        route: { hostname: hostname(i), backend },
      })),
    }],
  },
});

Deno.test("ten thousand routes, the last five hundred one by one", async () => {
  await using admin = await startAdmin();
  await using backend = await startEchoBackend();
  const { client, addr: listenerAddr } = admin;
  await client.apply({ state: stateOf(listenerAddr, backend.address, AT_ONCE) });
  const startedAt = performance.now();
  for (let i = AT_ONCE; i < ROUTES; i++) {
    await client.addRoute({ listenerAddr, hostname: hostname(i), backend: backend.address });
  }
  report("one by one", startedAt, ROUTES - AT_ONCE);
  assert.equal((await client.listRoutes({ listenerAddr })).routes.length, ROUTES);
  for (const i of [0, ROUTES / 2, ROUTES - 1]) {
    await using peer = await connectWithName(admin.port, hostname(i));
    await peer.echo("x");
  }
  await using none = await connectWithName(admin.port, hostname(ROUTES));
  assert.equal(await none.ending(), "reset");
});

Deno.test("ten thousand routes in one apply, and none in the next", async () => {
  await using admin = await startAdmin();
  await using backend = await startEchoBackend();
  const { client, addr } = admin;
  const state = stateOf(addr, backend.address, ROUTES);
  const startedAt = performance.now();
  const { differences } = await client.apply({ state });
  report("one apply", startedAt, ROUTES);
  assert.equal(differences.length, ROUTES);
  assert.deepEqual((await client.apply({ state })).differences, []);
  await using peer = await connectWithName(admin.port, hostname(ROUTES - 1));
  await peer.echo("x");
  const empty = { listeners: { listeners: [{ listener: { addr } }] } };
  const removed = await client.apply({ state: empty });
  assert.equal(removed.differences.length, ROUTES);
  await peer.echo("goes on");
});
