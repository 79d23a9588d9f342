import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { SOCKETS_KINDS } from "../../lib/tcp/mod.ts";
import {
  startBackend,
  startEchoBackend,
  startHalfClosingBackend,
  startRecordingBackend,
  startResettingBackend,
  startSilentBackend,
} from "../support/backends.ts";
import { connectRaw } from "../support/clients.ts";
import { eventually } from "../support/deadline.ts";
import { buildClientHello } from "../support/hello.ts";
import type { Peer } from "../support/peer.ts";
import { type PlaneOptions, startPlane, type TestPlane } from "../support/plane.ts";
import { unusedPort } from "../support/ports.ts";

const hello = buildClientHello({ serverName: "a.test" });
const MB = 1024 * 1024;
const BULK = 100 * MB;

/** Pieces of a stream that repeats nowhere near a buffer's size. */
function* pieces(total: number): Generator<Uint8Array> {
  let state = 1;
  for (let sent = 0; sent < total;) {
    const piece = new Uint32Array(Math.min(64 * 1024, total - sent) / 4);
    for (let i = 0; i < piece.length; i++) piece[i] = state = (state * 1664525 + 1013904223) >>> 0;
    sent += piece.byteLength;
    yield new Uint8Array(piece.buffer);
  }
}

function digest(total: number, prefix?: Uint8Array): string {
  const hash = createHash("sha256");
  if (prefix !== undefined) hash.update(prefix);
  for (const piece of pieces(total)) hash.update(piece);
  return hash.digest("hex");
}

async function upload(conn: Deno.TcpConn, total: number): Promise<void> {
  for (const piece of pieces(total)) {
    for (let sent = 0; sent < piece.length;) sent += await conn.write(piece.subarray(sent));
  }
  await conn.closeWrite();
}

async function send(peer: Peer, total: number): Promise<void> {
  for (const piece of pieces(total)) await peer.write(piece);
  peer.end();
}

/** The plane under test on one kind of sockets. */
interface Over {
  readonly startPlane: (options: PlaneOptions) => Promise<TestPlane>;
  readonly planeTo: (address: string, idleTimeoutMs?: number) => Promise<TestPlane>;
}

/** Whatever carries TCP, an l4 route promises the same. */
function overBoth(name: string, fn: (over: Over) => Promise<void>): void {
  for (const sockets of SOCKETS_KINDS) {
    const start = (options: PlaneOptions) => startPlane({ ...options, sockets });
    const planeTo = (address: string, idleTimeoutMs = 30_000) =>
      start({ routes: [{ hostname: "a.test", backend: address }], settings: { idleTimeoutMs } });
    Deno.test(`${name} (${sockets})`, () => fn({ startPlane: start, planeTo }));
  }
}

overBoth("100 MB each way at once arrive with the right checksum", async ({ planeTo }) => {
  const uploads: Promise<{ sha256: string }>[] = [];
  await using backend = await startBackend({
    onConnection(peer) {
      uploads.push(peer.digestToEnd(60_000));
      void send(peer, BULK);
    },
  });
  await using plane = await planeTo(backend.address);
  await using client = await connectRaw({ port: plane.port });
  await client.write(hello);
  const download = client.digestToEnd(60_000);
  await send(client, BULK);
  assert.equal((await download).sha256, digest(BULK));
  assert.equal((await uploads[0])?.sha256, digest(BULK, hello));
  const event = await plane.event();
  assert.equal(event.outcome, "relayed");
  assert.equal(event.bytesIn, BULK + hello.length);
  assert.equal(event.bytesOut, BULK);
});

overBoth(
  "a half-close by the client is passed on, and the answer still arrives",
  async ({ planeTo }) => {
    await using backend = await startBackend({
      onConnection: ({ socket }) => void socket.on("end", () => socket.end("after your FIN")),
    });
    await using plane = await planeTo(backend.address);
    await using client = await connectRaw({ port: plane.port });
    client.end(hello);
    const { text, ending } = await client.readToEnd();
    assert.equal(text, "after your FIN");
    assert.equal(ending, "end");
    assert.equal((await plane.event()).outcome, "relayed");
  },
);

overBoth(
  "a half-close by the backend is passed on, and what the client still sends arrives",
  async ({ planeTo }) => {
    await using backend = await startHalfClosingBackend("bye");
    await using plane = await planeTo(backend.address);
    await using client = await connectRaw({ port: plane.port });
    await client.write(hello);
    assert.equal((await client.readToEnd()).text, "bye");
    await client.write("still here");
    client.end();
    const peer = await backend.connection();
    await peer.ending;
    assert.equal(peer.text.slice(-10), "still here");
    assert.equal((await plane.event()).outcome, "relayed");
  },
);

/** Looks, some milliseconds apart, after which a stream that did not move counts as stopped. */
const ALIKE_WHEN_STOPPED = 30;

overBoth(
  "a backend that never reads stops the client instead of filling memory",
  async ({ planeTo }) => {
    await using backend = await startSilentBackend();
    await using plane = await planeTo(backend.address);
    await using client = await connectRaw({ port: plane.port });
    await client.write(hello);
    const piece = new Uint8Array(MB);
    let accepted = 0;
    while (accepted < 512 && client.socket.write(piece)) accepted++;
    let stalledAt = -1;
    let looksAlike = 0;
    await eventually(() => {
      const before = stalledAt;
      stalledAt = client.socket.bytesWritten - client.socket.writableLength;
      while (client.socket.writableLength === 0) client.socket.write(piece);
      looksAlike = before === stalledAt ? looksAlike + 1 : 0;
      return looksAlike === ALIKE_WHEN_STOPPED;
    }, "the client is stopped");
    // Kernel buffers on both legs and our own bounded queue; nothing near what the client offered.
    assert(stalledAt < 64 * MB, `${stalledAt} octets were taken`);
    // Nobody reads the client's socket now, but its end is seen all the same, and passed on.
    client.reset();
    assert.equal((await plane.event()).outcome, "client_reset");
    const peer = await backend.connection();
    peer.socket.resume();
    assert.equal(await peer.ending, "reset");
  },
);

overBoth(
  "a client that never reads stops the backend instead of filling memory",
  async ({ planeTo }) => {
    let offered = 0;
    await using backend = await startBackend({
      onConnection({ socket }) {
        const piece = new Uint8Array(MB);
        const pour = () => {
          while (!socket.destroyed && socket.write(piece)) offered += MB;
          offered += MB;
        };
        socket.on("drain", pour);
        pour();
      },
    });
    await using plane = await planeTo(backend.address);
    await using client = await connectRaw({ port: plane.port });
    client.socket.pause();
    await client.write(hello);
    let last = -1;
    await eventually(async () => {
      await new Promise((resolve) => setTimeout(resolve, 50));
      const before = last;
      last = offered;
      return last > 0 && before === last;
    }, "the backend is stopped");
    assert(last < 64 * MB, `${last} octets were taken`);
    client.reset();
    await plane.event();
  },
);

overBoth("a silent stream is cut after idle_timeout, a busy one is not", async ({ planeTo }) => {
  await using backend = await startEchoBackend();
  await using plane = await planeTo(backend.address, 400);
  await using client = await connectRaw({ port: plane.port });
  await client.write(hello);
  await client.read(hello.length);
  for (let i = 0; i < 8; i++) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    await client.write("x");
    await client.read(1);
  }
  assert.equal(plane.events.length, 0);
  assert.equal((await client.readToEnd()).ending, "reset");
  assert.equal((await plane.event()).outcome, "idle_timeout");
});

overBoth("a backend that is down resets the client and is logged", async ({ planeTo }) => {
  await using plane = await planeTo(`127.0.0.1:${await unusedPort()}`);
  await using client = await connectRaw({ port: plane.port });
  await client.write(hello);
  assert.equal((await client.readToEnd()).ending, "reset");
  const event = await plane.event();
  assert.equal(event.outcome, "backend_unreachable");
  assert.match(event.reason ?? "", /cannot connect to 127\.0\.0\.1:/);
});

overBoth("a backend's reset before its first byte is passed on as a reset", async ({ planeTo }) => {
  await using backend = await startResettingBackend();
  await using plane = await planeTo(backend.address);
  await using client = await connectRaw({ port: plane.port });
  await client.write(hello);
  assert.equal((await client.readToEnd()).ending, "reset");
  assert.equal((await plane.event()).outcome, "backend_reset");
});

overBoth("what a backend sent before its reset still arrives", async ({ planeTo }) => {
  await using backend = await startBackend({
    onConnection(peer) {
      peer.socket.once("data", () => {
        peer.socket.write(new Uint8Array(300_000), () => setTimeout(() => peer.reset(), 100));
      });
    },
  });
  await using plane = await planeTo(backend.address);
  await using client = await connectRaw({ port: plane.port });
  await client.write(hello);
  const { bytes, ending } = await client.readToEnd();
  assert.equal(bytes.length, 300_000);
  assert.equal(ending, "end");
  client.end();
  assert.equal((await plane.event()).outcome, "backend_reset");
});

overBoth("what a client sent before it vanished still arrives", async ({ planeTo }) => {
  await using backend = await startRecordingBackend();
  await using plane = await planeTo(backend.address);
  await using client = await connectRaw({ port: plane.port });
  await client.write(hello);
  const peer = await backend.connection();
  await client.write(new Uint8Array(300_000));
  await eventually(() => peer.received.length === hello.length + 300_000, "all has arrived");
  client.reset();
  await peer.ending;
  assert.equal((await plane.event()).outcome, "client_reset");
});

overBoth("a client's reset reaches the backend as a reset", async ({ planeTo }) => {
  await using backend = await startRecordingBackend();
  await using plane = await planeTo(backend.address);
  await using client = await connectRaw({ port: plane.port });
  await client.write(hello);
  const peer = await backend.connection();
  await eventually(() => peer.received.length === hello.length, "the hello has arrived");
  client.reset();
  assert.equal(await peer.ending, "reset");
  assert.equal((await plane.event()).outcome, "client_reset");
});

overBoth(
  "a client that resets after its half-close is seen although nobody reads it",
  async ({ planeTo }) => {
    await using backend = await startBackend({ onConnection: () => {} });
    await using plane = await planeTo(backend.address);
    await using client = await connectRaw({ port: plane.port });
    client.end(hello);
    const peer = await backend.connection();
    assert.equal(await peer.ending, "end");
    client.reset();
    assert.equal((await plane.event()).outcome, "client_reset");
    peer.socket.destroy(); // Node does not see a RST after a FIN, unless it writes.
  },
);

overBoth("a client that leaves at any step leaves nothing behind", async ({ planeTo }) => {
  await using backend = await startEchoBackend();
  await using plane = await planeTo(backend.address);
  for (const leave of ["end", "reset"] as const) {
    for (const sent of [0, 1, hello.length - 1, hello.length]) {
      await using client = await connectRaw({ port: plane.port });
      if (sent > 0) await client.write(hello.subarray(0, sent));
      client[leave]();
    }
  }
  await eventually(() => plane.events.length === 8, "every connection has ended");
  await backend.idle();
});

overBoth("backends are reached by name and over IPv6", async ({ startPlane }) => {
  await using byName = await startEchoBackend();
  await using overV6 = await startEchoBackend({ host: "::1" });
  await using plane = await startPlane({
    routes: [
      { hostname: "name.test", backend: `localhost:${byName.port}` },
      { hostname: "v6.test", backend: overV6.address },
    ],
  });
  for (const serverName of ["name.test", "v6.test"]) {
    const bytes = buildClientHello({ serverName });
    await using client = await connectRaw({ port: plane.port });
    client.end(bytes);
    assert.equal((await client.readToEnd()).bytes.length, bytes.length, serverName);
  }
});

overBoth("an mtls route without a connector is refused and logged", async ({ startPlane }) => {
  await using plane = await startPlane({
    routes: [{ hostname: "a.test", backend: "127.0.0.1:1", mode: "mtls" }],
  });
  await using client = await connectRaw({ port: plane.port });
  await client.write(hello);
  assert.equal((await client.readToEnd()).ending, "reset");
  const event = await plane.event();
  assert.equal(event.outcome, "mode_unavailable");
  assert.equal(event.reason, "there is no [connector]");
});

overBoth("a backend that ends before its first octet and reads slowly gets it all", async ({
  planeTo,
}) => {
  await using backend = await startBackend({
    onConnection({ socket }) {
      socket.end();
      socket.pause();
    },
  });
  await using plane = await planeTo(backend.address);
  // A socket of node:net would itself give up writing after this FIN.
  using client = await Deno.connect({ hostname: "127.0.0.1", port: plane.port });
  await client.write(hello);
  assert.equal(await client.read(new Uint8Array(1)), null);
  const peer = await backend.connection();
  const sending = upload(client, 10 * MB);
  for (let turn = 0; turn < 20; turn++) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    peer.socket.resume();
    await new Promise((resolve) => setTimeout(resolve, 2));
    peer.socket.pause();
  }
  peer.socket.resume();
  await sending;
  const { outcome, bytesIn } = await plane.event();
  assert.deepEqual([outcome, bytesIn], ["relayed", hello.length + 10 * MB]);
  await eventually(() => peer.received.length === bytesIn, "all has arrived");
  const received = createHash("sha256").update(peer.received).digest("hex");
  assert.equal(received, digest(10 * MB, hello));
});

overBoth(
  "an upload that a backend takes no more after its FIN is told as a backend_reset",
  async ({ planeTo }) => {
    await using backend = await startBackend({
      onConnection({ socket }) {
        socket.pause();
        socket.end();
      },
    });
    await using plane = await planeTo(backend.address);
    // A socket of node:net may itself give up writing after this FIN.
    using client = await Deno.connect({ hostname: "127.0.0.1", port: plane.port });
    await client.write(hello);
    assert.equal(await client.read(new Uint8Array(1)), null);
    const peer = await backend.connection();
    // More than all kernels on the way can hold.
    let sent = 0;
    const sending = (async () => {
      while (sent < 64 * MB) sent += await client.write(new Uint8Array(MB));
    })();
    await eventually(() => sent >= MB, "the upload is under way");
    peer.reset();
    await assert.rejects(sending, "the client learns of it");
    const { outcome, reason } = await plane.event();
    assert.equal(outcome, "backend_reset");
    assert.match(reason ?? "", /EPIPE|ECONNRESET/);
  },
);
