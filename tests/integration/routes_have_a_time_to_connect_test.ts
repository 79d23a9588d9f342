/** `connect_timeout` of a route, in each mode, shorter and longer than the proxy's. */
import assert from "node:assert/strict";
import { backend } from "../support/balancing.ts";
import { connectRaw } from "../support/clients.ts";
import { DOMAIN, issueClient, startConnector } from "../support/connector.ts";
import { withinDeadline } from "../support/deadline.ts";
import { DeafBackend } from "../support/deaf_backend.ts";
import { buildClientHello } from "../support/hello.ts";
import { connectHttp2, startL7 } from "../support/l7.ts";
import { startPlane } from "../support/plane.ts";

const HOUR = 3_600_000;
const hello = buildClientHello({ serverName: "a.test" });

const hostname = "a.test";

/** How an l4 connection ended, and after how long. */
async function visit(route: Record<string, unknown>, connectTimeoutMs: number) {
  const routes = [{ hostname, backend: "", ...route }];
  await using plane = await startPlane({ routes, settings: { connectTimeoutMs } });
  await using client = await connectRaw({ port: plane.port });
  await client.write(hello);
  assert.equal(await withinDeadline(client.ending, "the connection ends"), "reset");
  return await plane.event();
}

Deno.test("l4: a route's time to connect takes the place of the proxy's, shorter or longer", async () => {
  using deaf = await DeafBackend.start();
  using other = await DeafBackend.start();
  const plain = { backend: deaf.address };
  const list = {
    backend: deaf.address,
    backends: [deaf.address, other.address].map((addr) => backend(addr)),
  };
  for (const route of [plain, list]) {
    const short = await visit({ ...route, connectTimeoutMs: 200 }, HOUR);
    assert.equal(short.outcome, "backend_timeout");
    assert.ok(short.durationMs >= 180, `${short.durationMs}`);
    const long = await visit({ ...route, connectTimeoutMs: 600 }, 50);
    assert.equal(long.outcome, "backend_timeout");
    assert.ok(long.durationMs >= 550, `${long.durationMs}`);
  }
});

Deno.test("mtls: a route's time to connect holds for hosts that the directory names", async () => {
  using deaf = await DeafBackend.start();
  const alice = await issueClient("acme", "alice");
  const route = { hostname: `*.${DOMAIN}`, backend: "", mode: "mtls" as const };
  await using connector = await startConnector({
    address: deaf.address,
    plane: {
      routes: [{ ...route, connectTimeoutMs: 200 }],
      settings: { connectTimeoutMs: HOUR },
    },
  });
  await using peer = await connector.connect(alice);
  await withinDeadline(peer.ending, "the connection ends");
  assert.equal((await connector.plane.event()).outcome, "backend_timeout");
});

Deno.test("l7: a route's time to connect, and its paths have it too", async () => {
  using deaf = await DeafBackend.start();
  await using plane = await startL7({
    backend: deaf.address,
    route: {
      connectTimeoutMs: 200,
      paths: [{
        prefix: "/api",
        backend: deaf.address,
        backends: [backend(deaf.address), backend("127.0.0.1:1", { state: "down" })],
      }],
    },
    settings: { connectTimeoutMs: HOUR },
  });
  await using client = await connectHttp2(plane);
  for (const path of ["/", "/api"]) {
    const { status } = await withinDeadline(client.ask({ path }), "it is answered");
    assert.equal(status, 504, path);
  }
});
