/** Several backends of an l4 route: where connections go, and what becomes of failures. */
import assert from "node:assert/strict";
import {
  startEchoBackend,
  startRecordingBackend,
  startResettingBackend,
} from "../support/backends.ts";
import { backend } from "../support/balancing.ts";
import { connectRaw } from "../support/clients.ts";
import { DeafBackend } from "../support/deaf_backend.ts";
import { eventually } from "../support/deadline.ts";
import { buildClientHello } from "../support/hello.ts";
import { startPlane, type TestPlane } from "../support/plane.ts";
import { proxyV1 } from "../support/proxy_header.ts";
import { deadAddress, route } from "../support/failing_over.ts";

const hello = buildClientHello({ serverName: "a.test" });

/** An l4 connection through the proxy, and what it was answered. */
async function visit({ port }: { readonly port: number }): Promise<string> {
  await using client = await connectRaw({ port });
  await client.write(hello);
  const answered = await Promise.race([client.read(hello.length), client.ending]);
  if (typeof answered === "string") return answered;
  client.end();
  await client.ending;
  return "echo";
}

/** Which backend each of the plane's connections ended at. */
const backendsOf = ({ events }: TestPlane) => events.map(({ backend = "" }) => backend);

Deno.test("l4: connections take turns, and none fails while one backend refuses", async () => {
  await using one = await startEchoBackend();
  await using other = await startEchoBackend();
  const dead = await deadAddress();
  await using plane = await startPlane({ routes: [route([dead, one.address, other.address])] });
  for (let i = 0; i < 20; i++) assert.equal(await visit(plane), "echo");
  await plane.event(19);
  assert.ok(one.connections.length >= 8 && other.connections.length >= 8);
  assert.ok(backendsOf(plane).every((it) => it === one.address || it === other.address));
  const [taken] = await plane.plane.takeCounts();
  const failed = taken?.backends.find((it) => it.backend === dead);
  assert.equal(failed?.outcome, "backend_unreachable");
  // After five in a row it was not asked any more.
  assert.equal(failed?.count, 5);
});

Deno.test("l4: a backend that swallows what is sent to it leaves time for another", async () => {
  using deaf = await DeafBackend.start();
  await using echo = await startEchoBackend();
  await using plane = await startPlane({
    routes: [route([deaf.address, echo.address])],
    settings: { connectTimeoutMs: 600 },
  });
  for (let i = 0; i < 6; i++) assert.equal(await visit(plane), "echo");
});

Deno.test("l4: when every backend fails the client hears of the last, within the time for one", async () => {
  using deaf = await DeafBackend.start();
  using other = await DeafBackend.start();
  await using plane = await startPlane({
    routes: [route([deaf.address, other.address])],
    settings: { connectTimeoutMs: 600 },
  });
  assert.equal(await visit(plane), "reset");
  const { outcome, durationMs, backend } = await plane.event();
  assert.equal(outcome, "backend_timeout");
  assert.ok(durationMs >= 500, `${durationMs}`);
  assert.ok([deaf.address, other.address].includes(backend ?? ""));
});

Deno.test("l4: nothing is sent twice: a backend that breaks off after it was sent a hello is the end", async () => {
  await using broken = await startResettingBackend();
  await using recording = await startRecordingBackend();
  await using plane = await startPlane({ routes: [route([broken.address, recording.address])] });
  assert.equal(await visit(plane), "reset");
  const { outcome, backend } = await plane.event();
  assert.deepEqual([outcome, backend], ["backend_reset", broken.address]);
  assert.equal(recording.connections.length, 0);
});

Deno.test("l4: early resets in a row take a backend out, a connection that speaks begins anew", async () => {
  await using broken = await startResettingBackend();
  await using echo = await startEchoBackend();
  await using plane = await startPlane({ routes: [route([broken.address, echo.address])] });
  const found: string[] = [];
  for (let i = 0; i < 16; i++) found.push(await visit(plane));
  assert.equal(found.filter((it) => it === "reset").length, 5);
  assert.deepEqual(found.slice(-6), Array(6).fill("echo"));
});

Deno.test("l4: source sends one client to one backend, and the PROXY header goes along", async () => {
  await using one = await startEchoBackend();
  await using other = await startEchoBackend();
  await using plane = await startPlane({
    routes: [route([one.address, other.address], { balance: "source" })],
  });
  const home = new Map<string, string>();
  for (let round = 0; round < 2; round++) {
    for (let i = 1; i <= 12; i++) {
      const localAddress = `127.0.0.${i}`;
      await using client = await connectRaw({ port: plane.port, localAddress });
      await client.write(hello);
      await client.read(hello.length);
      client.end();
      await client.ending;
      const { backend = "", client: address } = await plane.event(round * 12 + i - 1);
      assert.ok(address.startsWith(`${localAddress}:`));
      assert.equal(home.get(localAddress) ?? backend, backend);
      home.set(localAddress, backend);
    }
  }
  assert.equal(new Set(home.values()).size, 2);
});

Deno.test("l4: source goes by the client that the PROXY header names, not by who sends it", async () => {
  await using one = await startEchoBackend();
  await using other = await startEchoBackend();
  await using plane = await startPlane({
    routes: [route([one.address, other.address], { balance: "source" })],
    listener: { proxyProtocol: true },
  });
  const homes = new Map<string, string>();
  for (let i = 0; i < 24; i++) {
    const address = `192.0.2.${i % 12 + 1}`;
    await using client = await connectRaw({ port: plane.port });
    client.socket.write(proxyV1(address, "192.0.2.99"));
    await client.write(hello);
    await client.read(hello.length);
    client.end();
    await client.ending;
    const { backend = "" } = await plane.event(i);
    assert.equal(homes.get(address) ?? backend, backend);
    homes.set(address, backend);
  }
  assert.equal(new Set(homes.values()).size, 2);
});

Deno.test("l4: who finds every backend full waits its turn, and not for ever", async () => {
  await using echo = await startEchoBackend();
  const backends = [backend(echo.address, { maxConnections: 1 })];
  await using plane = await startPlane({
    routes: [{
      hostname: "a.test",
      backend: echo.address,
      backends,
      queueLength: 1,
      queueTimeoutMs: 60_000,
    }],
  });
  await using first = await connectRaw({ port: plane.port });
  await first.write(hello);
  await first.read(hello.length);
  await using second = await connectRaw({ port: plane.port });
  await second.write(hello);
  await eventually(() => plane.active === 2, "the second waits");
  assert.equal(await visit(plane), "reset");
  const { outcome, backend: full } = await plane.event();
  assert.deepEqual([outcome, full], ["backend_full", "(all)"]);
  assert.equal(echo.connections.length, 1);
  first.end();
  await second.read(hello.length);
  assert.equal(echo.connections.length, 2);
  second.end();
  await second.ending;
});

Deno.test("l4: who breaks off while it waits leaves the line to the next", async () => {
  await using echo = await startEchoBackend();
  await using plane = await startPlane({
    routes: [{
      hostname: "a.test",
      backend: echo.address,
      backends: [backend(echo.address, { maxConnections: 1 })],
      queueLength: 1,
      queueTimeoutMs: 600_000,
    }],
  });
  await using first = await connectRaw({ port: plane.port });
  await first.write(hello);
  await first.read(hello.length);
  await using second = await connectRaw({ port: plane.port });
  await second.write(hello);
  await eventually(() => plane.active === 2, "the second waits");
  second.reset();
  const { outcome, reason } = await plane.event();
  assert.deepEqual([outcome, reason], ["client_gone", "left while it waited"]);
  await using third = await connectRaw({ port: plane.port });
  await third.write(hello);
  await eventually(() => plane.active === 2, "the third waits");
  first.end();
  await third.read(hello.length);
  assert.equal(echo.connections.length, 2);
  third.end();
  await third.ending;
});

Deno.test("l4: who waits for a place is cut when the plane ends", async () => {
  await using echo = await startEchoBackend();
  await using plane = await startPlane({
    routes: [{
      hostname: "a.test",
      backend: echo.address,
      backends: [backend(echo.address, { maxConnections: 1 })],
      queueTimeoutMs: 600_000,
    }],
  });
  await using first = await connectRaw({ port: plane.port });
  await first.write(hello);
  await first.read(hello.length);
  await using second = await connectRaw({ port: plane.port });
  await second.write(hello);
  await eventually(() => plane.active === 2, "the second waits");
  const closed = await plane.plane.closeConnections({});
  assert.equal(closed, 2);
  assert.equal(await second.ending, "reset");
  await plane.event(1);
  assert.deepEqual(plane.events.map(({ outcome }) => outcome), [
    "closed_by_operator",
    "closed_by_operator",
  ]);
  assert.equal(echo.connections.length, 1);
});
