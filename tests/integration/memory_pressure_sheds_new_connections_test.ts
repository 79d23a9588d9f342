import assert from "node:assert/strict";
import { Pressure } from "../../lib/observe/mod.ts";
import { startEchoBackend } from "../support/backends.ts";
import { connectRaw } from "../support/clients.ts";
import { eventually, withinDeadline } from "../support/deadline.ts";
import { buildClientHello } from "../support/hello.ts";
import type { Peer } from "../support/peer.ts";
import { startPlane } from "../support/plane.ts";
import { startProxy } from "../support/proxy.ts";

const hello = buildClientHello({ serverName: "a.test" });

async function enter(port: number): Promise<Peer | undefined> {
  const peer = await connectRaw({ port });
  peer.socket.write(hello);
  if (await peer.read(hello.length).then(() => true, () => false)) return peer;
  assert.equal(await withinDeadline(peer.ending, "the RST"), "reset");
  await peer[Symbol.asyncDispose]();
  return undefined;
}

async function alive(peer: Peer): Promise<void> {
  await peer.write("still there?");
  assert.equal(await peer.readText(12), "still there?");
}

async function leave(peer: Peer): Promise<void> {
  peer.end();
  await withinDeadline(peer.ending, "it ends");
  await peer[Symbol.asyncDispose]();
}

Deno.test("new connections are refused while memory is short, and open ones go on", async () => {
  const pressure = new Pressure(new SharedArrayBuffer(Pressure.BYTES));
  const cell = new SharedArrayBuffer(Pressure.BYTES);
  const writer = new Pressure(cell);
  await using backend = await startEchoBackend();
  await using plane = await startPlane({
    routes: [{ hostname: "a.test", backend: backend.address }],
    settings: { pressure: cell },
  });
  assert.equal(pressure.share, 0);
  const open = await enter(plane.port);
  assert.ok(open);
  writer.share = 1;
  let admitted = 0;
  for (let i = 0; i < 100; i++) {
    const peer = await enter(plane.port);
    if (peer === undefined) continue;
    admitted++;
    await leave(peer);
  }
  // One of sixteen gets in: 100 of 100 do with a chance of 10^-120, 50 with 10^-30.
  assert.ok(admitted < 50, `${admitted} of 100 were admitted`);
  const outcomes = new Set(plane.events.map(({ outcome }) => outcome));
  assert.ok(outcomes.has("overloaded"));
  await alive(open);
  writer.share = 0;
  for (let i = 0; i < 20; i++) {
    const peer = await enter(plane.port);
    assert.ok(peer, "memory suffices again");
    await leave(peer);
  }
  await leave(open);
});

Deno.test("the program watches the limit that it is given, and says so", async () => {
  await using backend = await startEchoBackend();
  const start = (limit: number) =>
    startProxy({
      config: {
        listeners: [{
          addr: "127.0.0.1:0",
          routes: [{ hostname: "a.test", backend: backend.address }],
        }],
        server: { workers: 1, memory_limit_mib: limit },
      },
    });
  {
    await using roomy = await start(1_000_000);
    for (let i = 0; i < 20; i++) {
      const peer = await enter(roomy.port());
      assert.ok(peer);
      await leave(peer);
    }
    assert.equal(roomy.events("memory is short, new connections are refused").length, 0);
  }
  // Less than the program alone takes.
  await using tight = await start(16);
  const short = "memory is short, new connections are refused";
  await eventually(() => tight.events(short).length === 1, "it is logged");
  let refused = 0;
  for (let i = 0; i < 40; i++) {
    const peer = await enter(tight.port());
    if (peer === undefined) refused++;
    else await leave(peer);
  }
  assert.ok(refused > 20, `${refused} of 40 were refused`);
  await tight.outcome("overloaded");
});
