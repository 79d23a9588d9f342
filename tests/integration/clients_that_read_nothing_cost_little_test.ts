import assert from "node:assert/strict";
import { startBackend, startEchoBackend } from "../support/backends.ts";
import { connectRaw } from "../support/clients.ts";
import { eventually } from "../support/deadline.ts";
import { buildClientHello } from "../support/hello.ts";
import { CAN_READ_USAGE, readUsage, socketsReturnTo } from "../support/leaks.ts";
import type { Peer } from "../support/peer.ts";
import { type Proxy, startProxy } from "../support/proxy.ts";

/** Each takes four descriptors of this process and two of the proxy. */
const CLIENTS = 300;
const MB = 1024 * 1024;
/** What one stalled stream may make the proxy hold: a queue of 128 KiB and one read, both ways. */
const PER_STREAM = 1.5 * MB;
/** What all of them together may: see the bounds of a thread's buffers in lib/tcp. */
const TOGETHER = 300 * MB;

const honestHello = buildClientHello({ serverName: "echo.test" });
const greedyHello = buildClientHello({ serverName: "pours.test" });

async function isServed(port: number): Promise<boolean> {
  await using client = await connectRaw({ port });
  client.end(honestHello);
  return (await client.readToEnd()).bytes.length === honestHello.length;
}

/** Opens clients that do `begin` and read nothing. */
async function openStalled(port: number, begin: (peer: Peer) => void): Promise<Peer[]> {
  const peers: Peer[] = [];
  for (let i = 0; i < CLIENTS; i++) {
    const peer = await connectRaw({ port });
    peer.socket.pause();
    begin(peer);
    peers.push(peer);
  }
  return peers;
}

async function startPouring(): Promise<{ proxy: Proxy } & AsyncDisposable> {
  const stack = new AsyncDisposableStack();
  const echo = stack.use(await startEchoBackend());
  const pours = stack.use(
    await startBackend({
      onConnection({ socket }) {
        const piece = new Uint8Array(256 * 1024);
        const pour = () => {
          while (!socket.destroyed && socket.write(piece));
        };
        socket.on("drain", pour);
        socket.once("data", pour);
      },
    }),
  );
  const proxy = stack.use(
    await startProxy({
      config: {
        server: { workers: 1 },
        listeners: [{
          addr: "127.0.0.1:0",
          routes: [
            { hostname: "echo.test", backend: echo.address },
            { hostname: "pours.test", backend: pours.address },
          ],
        }],
      },
    }),
  );
  return { proxy, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

Deno.test({
  name: "clients that read nothing cost bounded memory, leave nothing, and others are served",
  ignore: !CAN_READ_USAGE,
  async fn() {
    await using stage = await startPouring();
    const { proxy } = stage;
    const port = proxy.port();
    assert.ok(await isServed(port));
    const before = await readUsage(proxy.pid);
    for (const round of [1, 2]) {
      const peers = await openStalled(port, (peer) => peer.socket.write(greedyHello));
      let last = -1;
      await eventually(async () => {
        await new Promise((resolve) => setTimeout(resolve, 200));
        const { residentBytes } = await readUsage(proxy.pid);
        const grown = Math.abs(residentBytes - last) > MB;
        last = residentBytes;
        return !grown;
      }, "the proxy stops growing");
      const most = Math.min(TOGETHER, CLIENTS * PER_STREAM);
      assert.ok(last - before.residentBytes < most, `${last - before.residentBytes} octets`);
      assert.ok(await isServed(port), `in round ${round}`);
      for (const [i, peer] of peers.entries()) i % 2 === 0 ? peer.reset() : peer.socket.destroy();
      await Promise.all(peers.map((peer) => peer[Symbol.asyncDispose]()));
      await socketsReturnTo(proxy.pid, before);
      assert.ok(await isServed(port));
    }
    assert.equal(await proxy.stop(), 0);
  },
});
