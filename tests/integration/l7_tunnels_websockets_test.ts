import assert from "node:assert/strict";
import { once } from "node:events";
import type { EventEmitter } from "node:events";
import WebSocketClient, { WebSocketServer } from "ws";
import { withinDeadline } from "../support/deadline.ts";
import { attachSession } from "../support/h2_socket.ts";
import {
  connectHttp2,
  connectRawTls,
  HOST,
  identity,
  startHttpBackend,
  startL7,
} from "../support/l7.ts";

/** As much of a socket of `ws`, which has no types, as is used here. */
interface WebSocket extends EventEmitter {
  send(data: Uint8Array, options?: { binary: boolean }): void;
  close(code: number, reason: string): void;
  terminate(): void;
}

/** An HTTP/1.1 server with a WebSocket at every path but `/refused`; it sends back what it gets. */
async function startEcho(onSocket: (socket: WebSocket) => void = () => {}) {
  const sockets = new WebSocketServer({ noServer: true, maxPayload: 16 * 1024 * 1024 });
  sockets.on("connection", (socket: WebSocket) => {
    socket.on("message", (data: Uint8Array, isBinary: boolean) => {
      socket.send(data, { binary: isBinary });
    });
    onSocket(socket);
  });
  return await startHttpBackend("http1", (_, response) => response.end("plain"), {
    tune: (server) =>
      server.on("upgrade", (request, socket, head) => {
        if (request.url === "/refused") {
          return void socket.end("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
        }
        sockets.handleUpgrade(request, socket, head, (found: WebSocket) => {
          sockets.emit("connection", found);
        });
      }),
  });
}

async function connect(port: number, path = "/"): Promise<WebSocket> {
  const { ca } = await identity();
  return new WebSocketClient(`wss://${HOST}:${port}${path}`, {
    ca,
    servername: HOST,
    lookup: (_host: string, options: { all?: boolean }, done: (...args: unknown[]) => void) =>
      options.all ? done(null, [{ address: "127.0.0.1", family: 4 }]) : done(null, "127.0.0.1", 4),
  });
}

Deno.test("a WebSocket over HTTP/1.1 carries messages both ways and closes in order", async () => {
  await using backend = await startEcho();
  await using proxy = await startL7({ backend: backend.address });
  const socket = await connect(proxy.port);
  await withinDeadline(once(socket, "open"), "the WebSocket opens");
  for (const size of [0, 5, 70_000, 2_000_000]) {
    socket.send(Buffer.alloc(size, 7));
    const [data] = await withinDeadline(once(socket, "message"), `an echo of ${size} octets`);
    assert.equal(data.length, size);
  }
  socket.close(4001, "done");
  const [code, reason] = await withinDeadline(once(socket, "close"), "the WebSocket closes");
  assert.deepEqual([code, String(reason)], [4001, "done"]);
  const { status, method, backendProtocol } = await proxy.request();
  assert.deepEqual([status, method, backendProtocol], [101, "CONNECT", "http/1.1"]);
});

Deno.test("a WebSocket that the backend refuses is refused", async () => {
  await using backend = await startEcho();
  await using proxy = await startL7({ backend: backend.address });
  const socket = await connect(proxy.port, "/refused");
  const [error] = await withinDeadline(once(socket, "error"), "the WebSocket fails");
  assert.match(String(error), /403/);
});

Deno.test("a backend that goes takes the WebSocket along, and so does a client", async () => {
  const open: WebSocket[] = [];
  await using backend = await startEcho((socket) => open.push(socket));
  await using proxy = await startL7({ backend: backend.address });
  const first = await connect(proxy.port);
  await withinDeadline(once(first, "open"), "the WebSocket opens");
  open[0]?.terminate();
  const [code] = await withinDeadline(once(first, "close"), "the client hears of it");
  assert.equal(code, 1006);
  const second = await connect(proxy.port);
  await withinDeadline(once(second, "open"), "the WebSocket opens");
  const server = open[1];
  assert(server !== undefined);
  const gone = once(server, "close");
  second.terminate();
  await withinDeadline(gone, "the backend hears of it");
});

Deno.test("a WebSocket over HTTP/2 (RFC 8441) reaches a backend over HTTP/1.1", async () => {
  await using backend = await startEcho();
  await using proxy = await startL7({ backend: backend.address });
  await using peer = await connectRawTls({ port: proxy.port, alpn: "h2" });
  const received: number[] = [];
  const opened = Promise.withResolvers<readonly string[]>();
  const echoed = Promise.withResolvers<void>();
  const settled = Promise.withResolvers<void>();
  const session = attachSession(peer.socket, "client", {
    onSettings: () => settled.resolve(),
    onResponse: (_, head) => opened.resolve([String(head.status), ...head.fields]),
    onData: (stream, bytes) => {
      stream.consume(bytes.length);
      received.push(...bytes);
      if (received.length >= 4) echoed.resolve();
    },
  });
  await withinDeadline(settled.promise, "the proxy's SETTINGS");
  assert.equal(session.peerSettings.enableConnectProtocol, true);
  const stream = session.request({
    method: "CONNECT",
    protocol: "websocket",
    scheme: "https",
    authority: HOST,
    path: "/chat",
    fields: ["sec-websocket-version", "13", "origin", `https://${HOST}`],
  });
  const [status, ...fields] = await withinDeadline(opened.promise, "the tunnel opens");
  assert.equal(status, "200");
  assert.equal(fields.includes("sec-websocket-accept"), false);
  assert.equal(fields.includes("upgrade"), false);
  // A masked text frame "hi"; the echo comes unmasked (RFC 6455 §5.7).
  stream.sendData(Uint8Array.of(0x81, 0x82, 0, 0, 0, 0, 0x68, 0x69));
  await withinDeadline(echoed.promise, "the echo");
  assert.deepEqual(received, [0x81, 0x02, 0x68, 0x69]);
  session.close(0, "done");
});

Deno.test("server-sent events arrive one by one, not when the response ends", async () => {
  for (const kind of ["http1", "h2c"] as const) {
    const next = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    await using backend = await startHttpBackend(kind, async (_, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write("data: 0\n\n");
      await next[0]?.promise;
      response.write("data: 1\n\n");
      await next[1]?.promise;
      response.end();
    });
    await using proxy = await startL7({ backend: backend.address });
    await using h1 = await connectRawTls(proxy);
    await h1.write(`GET / HTTP/1.1\r\nHost: ${HOST}\r\nConnection: close\r\n\r\n`);
    await withinDeadline(until(() => h1.text.includes("data: 0")), "the first event");
    next[0]?.resolve();
    await withinDeadline(until(() => h1.text.includes("data: 1")), "the second event");
    next[1]?.resolve();
    assert.equal((await h1.readToEnd()).text.endsWith("0\r\n\r\n"), true);
  }
});

Deno.test("the head of a response is passed on before its first content, over HTTP/2 too", async () => {
  const more = Promise.withResolvers<void>();
  await using backend = await startHttpBackend("http1", async (_, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.flushHeaders();
    await more.promise;
    response.end("data: 0\n\n");
  });
  await using proxy = await startL7({ backend: backend.address });
  await using client = await connectHttp2(proxy);
  const stream = client.session.request({ ":path": "/", ":authority": HOST });
  const [headers] = await withinDeadline(once(stream, "response"), "the head");
  assert.equal(headers[":status"], 200);
  more.resolve();
  const [chunk] = await withinDeadline(once(stream, "data"), "the content");
  assert.equal(String(chunk), "data: 0\n\n");
  stream.close();
});

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}
