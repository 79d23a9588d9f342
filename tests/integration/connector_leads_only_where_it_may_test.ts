import assert from "node:assert/strict";
import type { ConnectionEvent } from "../../lib/observe/mod.ts";
import { startBackend, startEchoBackend } from "../support/backends.ts";
import {
  directoryOf,
  issueClient,
  startConnector,
  type TestConnector,
} from "../support/connector.ts";
import { startConnectorProcess } from "../support/connector_process.ts";
import { eventually, withinDeadline } from "../support/deadline.ts";
import { unusedPort } from "../support/ports.ts";

const alice = await issueClient("acme", "alice");

/** What becomes of a session to a host at `address`. */
async function visit(connector: TestConnector, address: string): Promise<ConnectionEvent> {
  connector.directory.exec(
    "UPDATE backend_hosts SET internal_ip_addr = ?".replace("?", `'${address}'`),
  );
  connector.access.changed();
  const index = connector.plane.events.length;
  await using peer = await connector.connect(alice);
  await peer.write("x").catch(() => {});
  const echoed = await peer.read(1).then(() => true, () => false);
  peer.end();
  await withinDeadline(peer.ending, "the session ends");
  const event = await connector.plane.event(index);
  assert.equal(echoed, event.outcome === "relayed", event.outcome);
  return event;
}

Deno.test("no session is led to this machine by default, whatever its address is written like", async () => {
  await using backend = await startBackend();
  await using connector = await startConnector({
    address: backend.address,
    connector: { allowedNetworks: [] },
  });
  const { port } = backend;
  for (
    const host of [
      "127.0.0.1",
      "127.0.0.2",
      "0.0.0.0",
      "[::1]",
      "[::]",
      "[::ffff:127.0.0.1]",
      "[::127.0.0.1]",
      "[64:ff9b::127.0.0.1]",
      "169.254.169.254",
      "[fe80::1]",
    ]
  ) {
    const { outcome, reason } = await visit(connector, `${host}:${port}`);
    assert.equal(outcome, "destination_refused", host);
    assert.match(reason ?? "", /must not connect to/);
  }
  // Names are no addresses of hosts at all.
  const named = await visit(connector, `localhost:${port}`);
  assert.equal(named.outcome, "backend_unreachable");
  assert.match(named.reason ?? "", /the host is a name/);
  assert.equal(backend.connections.length, 0, "nothing reached this machine");
});

Deno.test("a session is led into an allowed network, and nowhere else", async () => {
  await using backend = await startEchoBackend();
  await using connector = await startConnector({
    address: backend.address,
    connector: { allowedNetworks: ["127.0.0.1"] },
  });
  for (const host of ["127.0.0.1", "[::ffff:127.0.0.1]"]) {
    assert.equal((await visit(connector, `${host}:${backend.port}`)).outcome, "relayed", host);
  }
  const other = await visit(connector, `127.0.0.2:${backend.port}`);
  assert.equal(other.outcome, "destination_refused");
  const outside = await visit(connector, "192.0.2.1:22");
  assert.match(outside.reason ?? "", /not in allowed_networks/);
});

Deno.test("no session is led to the proxy itself, even where its network is allowed", async () => {
  await using backend = await startEchoBackend();
  await using connector = await startConnector({ address: backend.address });
  const itself = await visit(connector, `127.0.0.1:${connector.plane.port}`);
  assert.equal(itself.outcome, "destination_refused");
  assert.match(itself.reason ?? "", /the proxy itself/);
  // What it opened to find out is closed without an octet.
  const looped = () =>
    connector.plane.events.map(({ outcome }) => outcome)
      .filter((outcome) => outcome !== "destination_refused");
  await eventually(() => looped().length > 0, "it was opened");
  assert.deepEqual(looped(), ["client_gone"]);
  assert.equal((await visit(connector, backend.address)).outcome, "relayed");
});

Deno.test("the program refuses destinations in its workers, its metrics' port among them", async () => {
  await using backend = await startEchoBackend();
  const metrics = await unusedPort();
  for (
    const [address, networks, outcome] of [
      [backend.address, ["127.0.0.0/8"], "relayed"],
      [backend.address, ["10.0.0.0/8"], "destination_refused"],
      [`127.0.0.1:${metrics}`, ["127.0.0.0/8"], "destination_refused"],
    ] as const
  ) {
    await using connector = await startConnectorProcess({
      directory: directoryOf(address),
      connector: { allowed_networks: networks },
      config: { metrics: { addr: `127.0.0.1:${metrics}` } },
    });
    await using peer = await connector.connect(alice);
    await peer.write("x").catch(() => {});
    const echoed = await peer.read(1).then(() => true, () => false);
    assert.equal(echoed, outcome === "relayed");
    peer.end();
    await withinDeadline(peer.ending, "the session ends");
    await connector.proxy.outcome(outcome);
  }
});
