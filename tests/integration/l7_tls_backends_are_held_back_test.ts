import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { eventually } from "../support/deadline.ts";
import { type Backend, startBackend } from "../support/backends.ts";
import { kernelOctets } from "../support/kernel_octets.ts";
import { connectHttp2, connectRawTls, HOST, identity, startL7 } from "../support/l7.ts";

/** What one message may hold in this process beyond what the kernel holds, in octets. */
const HELD_OCTETS = 256 * 1024;

/**
 * A plain TCP hop in front of a TLS backend, in which a test can count, and stop, what the proxy
 * sends: a socket under TLS would be read on.
 */
class Hop implements AsyncDisposable {
  /** Octets read from the proxy, and octets that the proxy's kernel took. */
  fromProxy = 0;
  toProxy = 0;
  stopped = false;
  readonly #server = createServer((client) => this.#relay(client));
  readonly #sockets: Socket[] = [];
  readonly #target: number;

  constructor(target: number) {
    this.#target = target;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Octets that left the proxy for good, also those that a hop that has stopped had read before. */
  get taken(): number {
    return this.#sockets.reduce((sum, socket) => sum + socket.readableLength, this.fromProxy);
  }

  async listen(): Promise<this> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    return this;
  }

  #relay(client: Socket): void {
    const server = connect(this.#target, "127.0.0.1");
    this.#sockets.push(client, server);
    for (const socket of [client, server]) socket.on("error", () => {});
    client.on("data", (bytes: Uint8Array) => {
      this.fromProxy += bytes.length;
      server.write(bytes);
      if (this.stopped) client.pause();
    });
    server.on("data", (bytes: Uint8Array) => {
      server.pause();
      client.write(bytes, () => {
        this.toProxy += bytes.length;
        server.resume();
      });
    });
    client.on("close", () => server.destroy());
    server.on("close", () => client.destroy());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, "close");
  }
}

/** The count when it has stood still for half a second. */
async function stoppedAt(count: () => number, what: string): Promise<number> {
  let before = -1;
  await eventually(
    async () => {
      const now = count();
      const still = now === before && now > 0;
      before = now;
      await new Promise((resolve) => setTimeout(resolve, 500));
      return still;
    },
    what,
    60_000,
  );
  return count();
}

async function startTlsBackend(onConnection: (socket: Socket) => void): Promise<Backend> {
  const { certPem: cert, keyPem: key } = await identity();
  return await startBackend({
    tls: { cert, key, ALPNProtocols: ["http/1.1"] },
    onConnection: ({ socket }) => onConnection(socket),
  });
}

const ROUTE = { backendTls: true, backendProtocol: "http1" } as const;

Deno.test("an upload that a backend behind TLS does not take stops the client over http/1.1", async () => {
  await using backend = await startTlsBackend(() => {});
  await using hop = await new Hop(backend.port).listen();
  await using proxy = await startL7({
    backend: `127.0.0.1:${hop.port}`,
    route: ROUTE,
    // A client that is not read is not seen to leave.
    settings: { idleTimeoutMs: 5000 },
  });
  await using client = await connectRawTls({ port: proxy.port });
  await client.write(`POST / HTTP/1.1\r\nHost: ${HOST}\r\nContent-Length: 2000000000\r\n\r\n`);
  await eventually(() => hop.fromProxy > 0, "the request arrives");
  hop.stopped = true;
  let sent = 0;
  const piece = new Uint8Array(65536);
  // Ends with the connection: a write that waits for room is not told of that.
  (async () => {
    while (sent < 1e9) {
      await client.write(piece);
      sent += piece.length;
    }
  })().catch(() => {});
  await stoppedAt(() => sent, "the upload stops");
  // What this test's own TLS holds of the client's side is not the proxy's; one piece is more.
  const held = sent - hop.taken - await kernelOctets(hop.port, proxy.port);
  assert.ok(held <= HELD_OCTETS, `${held} of ${sent} octets are held beside the kernel's`);
});

Deno.test("an upload that a backend behind TLS does not take stops the client over h2", async () => {
  await using backend = await startTlsBackend(() => {});
  await using hop = await new Hop(backend.port).listen();
  await using proxy = await startL7({ backend: `127.0.0.1:${hop.port}`, route: ROUTE });
  await using client = await connectHttp2(proxy);
  const stream = client.session.request({
    ":method": "POST",
    ":authority": HOST,
    ":scheme": "https",
    ":path": "/",
  });
  stream.on("error", () => {});
  let sent = 0;
  const piece = new Uint8Array(16384);
  const send = () => {
    stream.write(piece, () => {
      sent += piece.length;
      if (sent < 1e9 && !stream.destroyed) send();
    });
  };
  send();
  await eventually(() => hop.fromProxy > 0, "the request arrives");
  hop.stopped = true;
  await stoppedAt(() => sent, "the upload stops");
  const held = sent - hop.taken - await kernelOctets(hop.port, proxy.port);
  assert.ok(held <= HELD_OCTETS, `${held} of ${sent} octets are held beside the kernel's`);
  stream.destroy();
});

Deno.test("a client that does not read stops a backend behind TLS", async () => {
  await using backend = await startTlsBackend((socket) => {
    socket.once("data", () => {
      socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2000000000\r\n\r\n");
      const piece = new Uint8Array(65536);
      const more = () => {
        while (!socket.destroyed && socket.write(piece));
        if (!socket.destroyed) socket.once("drain", more);
      };
      more();
    });
  });
  await using hop = await new Hop(backend.port).listen();
  await using proxy = await startL7({ backend: `127.0.0.1:${hop.port}`, route: ROUTE });
  await using client = await connectHttp2(proxy);
  // The client's window is never opened again.
  const stream = client.session.request({
    ":authority": HOST,
    ":scheme": "https",
    ":path": "/",
  });
  stream.on("error", () => {});
  stream.pause();
  const arrived = await stoppedAt(() => hop.toProxy, "the download stops");
  const held = arrived - await kernelOctets(hop.port);
  // The window of the client's stream (64 KiB) is in its own hands.
  assert.ok(held <= HELD_OCTETS + 65536, `${held} of ${arrived} octets are held`);
  stream.destroy();
});
