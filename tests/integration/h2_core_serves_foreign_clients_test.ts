import assert from "node:assert/strict";
import { once } from "node:events";
import http2 from "node:http2";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { buffer } from "node:stream/consumers";
import type { CloseCause, H2Stream, RequestHead } from "../../lib/h2/mod.ts";
import { attachSession } from "../support/h2_socket.ts";
import { runCommand, testWithCommands } from "../support/commands.ts";

const LARGE = new Uint8Array(3_000_000).map((_, i) => (i * 7 + (i >> 11)) & 255);

/** Echoes content and trailers; `/large` answers 3 MB; everything says what was asked. */
class EchoServer implements AsyncDisposable {
  readonly server = createServer({ allowHalfOpen: false });
  readonly sockets = new Set<Socket>();
  readonly heads: RequestHead[] = [];
  readonly closes: CloseCause[] = [];

  static async start(): Promise<EchoServer> {
    const echo = new EchoServer();
    echo.server.on("connection", (socket) => echo.#accept(socket));
    echo.server.listen(0, "127.0.0.1");
    await once(echo.server, "listening");
    return echo;
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  #accept(socket: Socket): void {
    socket.on("error", () => {});
    this.sockets.add(socket);
    socket.on("close", () => this.sockets.delete(socket));
    attachSession(socket, "server", {
      onRequest: (stream, head, endStream) => this.#request(stream, head, endStream),
      onData: (stream, bytes, endStream) => {
        const more = stream.sendData(bytes, endStream);
        if (more) stream.consume(bytes.length);
        else stream.context = ((stream.context as number | undefined) ?? 0) + bytes.length;
      },
      onDrain: (stream) => {
        const owed = stream.context as number;
        stream.context = 0;
        stream.consume(owed);
      },
      onTrailers: (stream, fields) => stream.sendTrailers(fields),
      onClose: (cause) => this.closes.push(cause),
    });
  }

  #request(stream: H2Stream, head: RequestHead, endStream: boolean): void {
    this.heads.push(head);
    if (head.path === "/hints") stream.respond({ status: 103, fields: ["link", "</a.css>"] });
    stream.respond({ status: 200, fields: ["x-method", head.method, "x-path", head.path] });
    if (head.path === "/large") stream.sendData(LARGE, true);
    else if (endStream) stream.sendTrailers(["x-trailer", "yes"]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    this.server.close();
    await once(this.server, "close");
    assert.equal(this.sockets.size, 0);
  }
}

/** A `node:http2` client connection that is closed at the end. */
async function connect(origin: string) {
  const session = http2.connect(origin);
  session.on("error", () => {});
  await once(session, "connect");
  return {
    session,
    async [Symbol.asyncDispose]() {
      const closed = once(session, "close");
      session.close();
      await closed;
    },
  };
}

Deno.test("the HTTP/2 core answers node:http2: head, 1xx, trailers", async () => {
  await using echo = await EchoServer.start();
  await using client = await connect(echo.origin);
  const request = client.session.request({ ":path": "/hints", "x-a": "b", cookie: ["c=1", "d=2"] });
  const hints = once(request, "headers");
  const trailers = once(request, "trailers");
  const [headers] = await once(request, "response");
  assert.equal(headers["x-path"], "/hints");
  request.resume();
  assert.equal((await hints)[0][":status"], 103);
  assert.equal((await trailers)[0]["x-trailer"], "yes");
  const [head] = echo.heads;
  assert.equal(head?.authority, new URL(echo.origin).host);
  const fields = head?.fields ?? [];
  assert.equal(fields[fields.indexOf("cookie") + 1], "c=1; d=2");
});

Deno.test("the HTTP/2 core echoes 3 MB to node:http2 on ten streams at once", async () => {
  await using echo = await EchoServer.start();
  await using client = await connect(echo.origin);
  await Promise.all(Array.from({ length: 10 }, async () => {
    const request = client.session.request({ ":path": "/", ":method": "POST" });
    await once(request.end(LARGE.subarray(0, 300_000)), "response");
    assert.deepEqual(new Uint8Array(await buffer(request)), LARGE.subarray(0, 300_000));
  }));
  const large = client.session.request({ ":path": "/large" });
  await once(large, "response");
  assert.deepEqual(new Uint8Array(await buffer(large)), LARGE);
});

Deno.test("the HTTP/2 core answers a PING of node:http2 and takes its reset", async () => {
  await using echo = await EchoServer.start();
  await using client = await connect(echo.origin);
  const { promise, resolve } = Promise.withResolvers<Uint8Array>();
  client.session.ping(new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8]), (_error, _ms, payload) => {
    resolve(payload);
  });
  assert.deepEqual([...await promise], [1, 2, 3, 4, 5, 6, 7, 8]);
  const request = client.session.request({ ":path": "/", ":method": "POST" });
  await once(request, "response");
  request.close(http2.constants.NGHTTP2_CANCEL);
  await once(request, "close");
});

testWithCommands(["curl"], "the HTTP/2 core echoes an upload of curl", async () => {
  await using echo = await EchoServer.start();
  const body = "0123456789".repeat(10_000); // more than one window
  const options = ["-s", "--http2-prior-knowledge", "--data-binary", body];
  const { stdout } = await runCommand("curl", [...options, `${echo.origin}/up`]);
  assert.equal(stdout, body);
});

testWithCommands(["h2load"], "the HTTP/2 core serves h2load without one error", async () => {
  await using echo = await EchoServer.start();
  const { stdout } = await runCommand("h2load", [
    ...["-n", "3000", "-c", "10", "-m", "20"],
    `${echo.origin}/`,
  ]);
  assert.match(stdout, /3000 succeeded, 0 failed, 0 errored/);
  assert.deepEqual(echo.closes.filter(({ by }) => by === "rules"), []);
});
