import assert from "node:assert/strict";
import { startEchoBackend } from "../support/backends.ts";
import { connectRaw } from "../support/clients.ts";
import { buildClientHello } from "../support/hello.ts";
import { listenerOf, routeOf, startPlane, type TestPlane } from "../support/plane.ts";

const MANY = 20_000;

function routesTo(backend: string, names: readonly string[]) {
  return names.map((hostname, i) => routeOf({ hostname, backend }, i));
}

const names = (prefix: string) => Array.from({ length: MANY }, (_, i) => `${prefix}${i}.test`);

/** Whether a connection to this name reaches the backend. */
async function reaches(plane: TestPlane, serverName: string): Promise<boolean> {
  const hello = buildClientHello({ serverName });
  await using client = await connectRaw({ port: plane.port });
  client.end(hello);
  return (await client.readToEnd()).bytes.length === hello.length;
}

Deno.test("20,000 routes replace others at once, and streams have their turns meanwhile", async () => {
  await using backend = await startEchoBackend();
  await using plane = await startPlane({
    routes: [{ hostname: "kept.test", backend: backend.address }, {
      hostname: "old.test",
      backend: backend.address,
    }],
  });
  const before = plane.snapshot.listeners[0] ?? assert.fail();
  const routes = routesTo(backend.address, ["kept.test", ...names("new")]);
  const listener = { ...listenerOf(before.port, { gauge: before.gauge }), routes };
  let applied = false;
  const applying = plane.plane.apply([{ kind: "add_listener", listener }])
    .then(() => applied = true);
  let served = 0;
  while (!applied) {
    assert.ok(await reaches(plane, "kept.test"), "it is in the old table and in the new one");
    served++;
  }
  await applying;
  assert.ok(served > 1, "connections were served between the slices");
  assert.ok(await reaches(plane, "new0.test"));
  assert.ok(await reaches(plane, `new${MANY - 1}.test`));
  assert.equal(await reaches(plane, "old.test"), false, "the old table is gone");
});

Deno.test("routes that were staged for a change that never came do not come with the next", async () => {
  await using backend = await startEchoBackend();
  await using plane = await startPlane({ routes: [] });
  const before = plane.snapshot.listeners[0] ?? assert.fail();
  const stale = routesTo(backend.address, ["stale.test"]);
  await plane.plane.apply([{ kind: "stage_routes", listenerId: 1, first: true, routes: stale }]);
  const routes = routesTo(backend.address, names("new"));
  const listener = { ...listenerOf(before.port, { gauge: before.gauge }), routes };
  await plane.plane.apply([{ kind: "add_listener", listener }]);
  assert.ok(await reaches(plane, "new0.test"));
  assert.equal(await reaches(plane, "stale.test"), false);
});

Deno.test("20,000 routes are set and removed in slices, all of them", async () => {
  await using backend = await startEchoBackend();
  await using plane = await startPlane({ routes: [] });
  const all = names("n");
  const set = routesTo(backend.address, all);
  await plane.plane.apply([{ kind: "routes", listenerId: 1, set, remove: [] }]);
  for (const name of ["n0.test", "n999.test", "n1000.test", `n${MANY - 1}.test`]) {
    assert.ok(await reaches(plane, name), name);
  }
  const remove = all.slice(1);
  await plane.plane.apply([{ kind: "routes", listenerId: 1, set: [], remove }]);
  assert.ok(await reaches(plane, "n0.test"));
  assert.equal(await reaches(plane, "n1000.test"), false);
  assert.equal(await reaches(plane, `n${MANY - 1}.test`), false);
});
