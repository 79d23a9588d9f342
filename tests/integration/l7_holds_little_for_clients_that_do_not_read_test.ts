import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { EDGE_LIMITS, FrameReader, FrameType, type H2Stream } from "../../lib/h2/mod.ts";
import { eventually } from "../support/deadline.ts";
import { attachSession } from "../support/h2_socket.ts";
import { connectHttp2, HOST, startL7 } from "../support/l7.ts";
import { RawHttp2Client } from "../support/raw_http2.ts";

const MIB = 1024 * 1024;
/** Streams of a backend's own; it is the proxy that bounds them. */
const LIMITS = { ...EDGE_LIMITS, maxConcurrentStreams: 1000 };

/** A backend that sends each stream as much as it is let, up to 8 MiB. */
class GenerousBackend implements AsyncDisposable {
  /** Content that the proxy has taken, for each stream of each connection in order. */
  readonly sent: number[] = [];
  /** What the proxy has opened the windows of streams by, in all. */
  opened = 0;
  readonly #server = createServer((socket) => this.#serve(socket));
  readonly #sockets = new Set<Socket>();

  static async start(): Promise<GenerousBackend> {
    const backend = new GenerousBackend();
    backend.#server.listen(0, "127.0.0.1");
    await once(backend.#server, "listening");
    return backend;
  }

  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
    let preface = 24;
    const reader = new FrameReader({
      frame: (type, _flags, streamId, payload) => {
        if (type !== FrameType.windowUpdate || streamId === 0) return;
        this.opened += new DataView(payload.buffer, payload.byteOffset).getUint32(0);
      },
      dataBegin: () => {},
      dataPiece: () => {},
      broken: () => {},
    }, 16384);
    socket.on("data", (bytes: Uint8Array) => {
      const skipped = Math.min(preface, bytes.length);
      preface -= skipped;
      reader.receive(bytes.subarray(skipped));
    });
    attachSession(socket, "server", {
      onRequest: (stream) => {
        const index = this.sent.push(0) - 1;
        stream.context = index;
        stream.respond({ status: 200, fields: [] });
        this.#pour(stream);
      },
      onDrain: (stream) => this.#pour(stream),
    }, LIMITS);
  }

  #pour(stream: H2Stream): void {
    const index = stream.context as number;
    let more = true;
    while (more && (this.sent[index] ?? 0) < 8 * MIB) {
      const bytes = new Uint8Array(16384);
      this.sent[index] = (this.sent[index] ?? 0) + bytes.length;
      more = stream.sendData(bytes, this.sent[index] === 8 * MIB);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, "close");
  }
}

Deno.test("a stream's window towards a backend grows for a client that reads", async () => {
  await using backend = await GenerousBackend.start();
  await using proxy = await startL7({
    backend: backend.address,
    route: { backendProtocol: "h2" },
  });
  await using client = await connectHttp2({ port: proxy.port });
  const { bytes } = await client.ask();
  assert.equal(bytes.length, 8 * MIB);
  assert.ok(backend.opened > 8 * MIB, `opened by ${backend.opened} octets`);
});

Deno.test("little waits for streams that a client does not read, and others go on", async () => {
  const streams = 90;
  await using backend = await GenerousBackend.start();
  await using proxy = await startL7({
    backend: backend.address,
    route: { backendProtocol: "h2" },
  });
  await using stalled = await RawHttp2Client.connect(proxy.port);
  const head = [":method", "GET", ":scheme", "https", ":authority", HOST, ":path", "/"];
  for (let i = 0; i < streams; i++) await stalled.write(stalled.headers(2 * i + 1, head, true));
  await eventually(() => backend.sent.length === streams, "every request is answered");

  // Another client is not kept waiting by that.
  await using client = await connectHttp2({ port: proxy.port });
  assert.equal((await client.ask()).bytes.length, 8 * MIB);

  // The session of the backend has up to 64 KiB of each queued itself.
  const taken = backend.sent.slice(0, streams).map((octets) => octets - 2 * 65_536);
  const held = taken.reduce((sum, octets) => sum + Math.max(0, octets), 0);
  assert.ok(held <= streams * 65_536 + MIB, `${held} octets are held for ${streams} streams`);
});
