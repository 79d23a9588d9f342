import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { connect as connectSecure } from "node:tls";
import { type Backend, startEchoBackend } from "../support/backends.ts";
import { connectRaw } from "../support/clients.ts";
import { DOMAIN, issueClient, startConnector } from "../support/connector.ts";
import { eventually, withinDeadline } from "../support/deadline.ts";
import {
  connectHttp2,
  HOST,
  type HttpBackend,
  identity,
  startHttpBackend,
  startL7,
} from "../support/l7.ts";
import { CAN_READ_USAGE, readUsage, socketsReturnTo } from "../support/leaks.ts";
import type { Peer } from "../support/peer.ts";
import type { TestPlane } from "../support/plane.ts";
import { startL7Proxy } from "../support/l7_proxy.ts";
import { recordClientHello } from "../support/recorded_hello.ts";

const alice = await issueClient("acme", "alice");

/** Longer than any test waits: nothing here ends by its deadline. */
const NEVER = { timeoutMs: 600_000 };

function startWeb(): Promise<HttpBackend> {
  return startHttpBackend("http1", (_, response) => void response.end("ok"));
}

/** Sends a whole ClientHello and reads the answer, or not. */
async function begin(
  port: number,
  hello: Uint8Array,
  { reads }: { reads: boolean },
): Promise<Peer> {
  const peer = await connectRaw({ port });
  await peer.write(hello);
  if (reads) await peer.read(1);
  return peer;
}

const WAYS: Readonly<Record<string, (peer: Peer) => void>> = {
  "a FIN": (peer) => peer.end(),
  "a RST": (peer) => peer.reset(),
  "a FIN inside a record": (peer) => peer.end(Uint8Array.of(22, 3, 3, 0, 64, 1)),
};

/** Every way of leaving, before and behind the server's flight, is noticed. */
async function leaveInEveryWay(plane: TestPlane, hello: Uint8Array): Promise<void> {
  for (const [name, leave] of Object.entries(WAYS)) {
    for (const reads of [true, false]) {
      const index = plane.events.length;
      await using peer = await begin(plane.port, hello, { reads });
      leave(peer);
      const { outcome } = await plane.event(index);
      const when = reads ? "behind" : "before";
      assert.equal(outcome, "client_gone", `${name}, ${when} the server's flight`);
    }
  }
}

Deno.test("an l7 client that leaves its handshake is noticed, and others are served", async () => {
  await using backend = await startWeb();
  await using plane = await startL7({ backend: backend.address, handshakes: NEVER });
  await leaveInEveryWay(plane, await recordClientHello(HOST));
  await using honest = await connectHttp2({ port: plane.port });
  assert.equal((await honest.ask()).status, 200);
});

Deno.test("an mtls client that leaves its handshake is noticed, and others are served", async () => {
  await using backend: Backend = await startEchoBackend();
  await using connector = await startConnector({
    address: backend.address,
    plane: { handshakes: NEVER },
  });
  await leaveInEveryWay(connector.plane, await recordClientHello(`web.${DOMAIN}`));
  await using honest = await connector.connect(alice);
  await honest.write("x");
  assert.equal(await honest.readText(1), "x");
  honest.end();
  await honest.ending;
});

Deno.test("a client that asks and says goodbye in one segment has finished its handshake", async () => {
  await using backend = await startWeb();
  await using plane = await startL7({ backend: backend.address, handshakes: NEVER });
  // Passes the hello on, and holds back everything else until the client has ended.
  const middle = createServer({ allowHalfOpen: true }, (client) => {
    const proxy = connect({ port: plane.port, host: "127.0.0.1", allowHalfOpen: true });
    for (const socket of [client, proxy]) socket.on("error", () => {});
    const held: Uint8Array[] = [];
    client.once("data", (hello: Uint8Array) => {
      proxy.write(hello);
      client.on("data", (chunk: Uint8Array) => held.push(chunk));
    });
    client.on("end", () => proxy.end(Buffer.concat(held)));
    proxy.on("data", (chunk: Uint8Array) => client.write(chunk));
    proxy.on("end", () => client.end());
  });
  middle.listen(0, "127.0.0.1");
  await once(middle, "listening");
  const { port } = middle.address() as AddressInfo;
  const below: Socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  const { ca } = await identity();
  const client = connectSecure({ socket: below, servername: HOST, ca });
  client.on("error", () => {});
  client.resume();
  await withinDeadline(once(client, "secureConnect"), "the handshake");
  client.end(`GET / HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
  await withinDeadline(once(client, "close"), "the connection ends");
  // The runtime's client is gone before it could read the answer.
  assert.equal((await plane.event()).outcome, "relayed");
  below.destroy();
  middle.close();
  await once(middle, "close");
});

Deno.test("handshakes that nobody goes on with give way, of one source and in all", async () => {
  await using backend = await startWeb();
  await using plane = await startL7({
    backend: backend.address,
    handshakes: { ...NEVER, max: 6, maxOfSource: 3 },
  });
  const hello = await recordClientHello(HOST);
  const stalled: Peer[] = [];
  try {
    const stall = async (localAddress: string) => {
      const peer = await connectRaw({ port: plane.port, localAddress });
      stalled.push(peer);
      await peer.write(hello);
      await peer.read(1);
    };
    // The fourth of one source displaces its first.
    for (let i = 0; i < 4; i++) await stall("127.0.0.2");
    const { outcome, reason } = await plane.event();
    assert.equal(outcome, "tls_timeout");
    assert.match(reason ?? "", /gave way/);
    assert.equal(await withinDeadline(stalled[0]?.ending ?? Promise.reject(), "reset"), "reset");
    assert.equal(plane.active, 3);
    // Others add up to the limit of all, and then displace the oldest of all.
    for (let i = 0; i < 3; i++) await stall("127.0.0.3");
    assert.equal(plane.active, 6);
    for (let i = 0; i < 2; i++) await stall("127.0.0.4");
    await plane.event(2);
    assert.equal(plane.active, 6);
    // An honest client gets through the full house, from an address of its own or theirs.
    for (let i = 0; i < 5; i++) {
      await using honest = await connectHttp2({ port: plane.port });
      assert.equal((await honest.ask()).status, 200);
    }
  } finally {
    for (const peer of stalled) peer.reset();
  }
});

Deno.test({
  name: "clients that leave in the middle of their handshakes leave no descriptor behind",
  ignore: !CAN_READ_USAGE,
  async fn() {
    await using backend = await startWeb();
    await using proxy = await startL7Proxy({ backend: backend.address });
    const hello = await recordClientHello(HOST);
    {
      await using honest = await connectHttp2({ port: proxy.port() });
      assert.equal((await honest.ask()).status, 200);
    }
    await eventually(() => proxy.events("connection").length === 1, "the first one has ended");
    const before = await readUsage(proxy.pid);
    let most = 0;
    for (let round = 0; round < 40; round++) {
      const peers = await Promise.all(
        Array.from({ length: 25 }, () => begin(proxy.port(), hello, { reads: true })),
      );
      for (const [i, peer] of peers.entries()) i % 2 === 0 ? peer.reset() : peer.end();
      await Promise.all(peers.map((peer) => peer[Symbol.asyncDispose]()));
      if (round % 10 === 9) most = Math.max(most, (await readUsage(proxy.pid)).sockets);
    }
    assert.ok(most < before.sockets + 200, `${most} sockets while a thousand came and went`);
    const ended = () => proxy.events("connection").map(({ outcome }) => outcome);
    await eventually(() => ended().length >= 1001, "all have ended");
    assert.equal(ended().filter((outcome) => outcome === "client_gone").length, 1000);
    await using honest = await connectHttp2({ port: proxy.port() });
    assert.equal((await honest.ask()).status, 200);
    await honest[Symbol.asyncDispose]();
    await socketsReturnTo(proxy.pid, before);
  },
});
