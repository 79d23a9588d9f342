import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { startBackend, startBlackHole } from "../support/backends.ts";
import { eventually } from "../support/deadline.ts";
import { attachSession } from "../support/h2_socket.ts";
import {
  CLIENTS,
  connectHttp2,
  connectRawTls,
  HOST,
  startHttpBackend,
  startL7,
} from "../support/l7.ts";

/** Connections to a backend at once: see lib/upstream. */
const MAX_CONNECTIONS = 512;

const FRONTS = Object.keys(CLIENTS) as (keyof typeof CLIENTS)[];
const ANSWER = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const HTTP1_ERROR = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

/** A backend over h2c that answers every request with 204, `delayMs` after it was connected to. */
function serveH2(socket: Socket, delayMs = 0): void {
  const onRequest = (stream: { respond(head: object, end: boolean): void }) =>
    stream.respond({ status: 204, fields: [] }, true);
  const early: Uint8Array[] = [];
  const keep = (bytes: Uint8Array) => early.push(bytes);
  socket.on("data", keep);
  setTimeout(() => {
    socket.off("data", keep);
    const session = attachSession(socket, "server", { onRequest });
    for (const bytes of early) session.receive(bytes, performance.now());
  }, delayMs);
  socket.on("end", () => socket.end());
}

Deno.test("answers that come before their requests end cost the backend no connection", async () => {
  await using backend = await startBackend({
    onConnection: ({ socket }) => {
      socket.once("data", () => socket.write(ANSWER));
      socket.on("end", () => socket.end());
    },
  });
  await using proxy = await startL7({
    backend: backend.address,
    route: { backendProtocol: "http1" },
    settings: { connectTimeoutMs: 10_000 },
  });
  // One octet of content, and the end never comes.
  const upload = `POST / HTTP/1.1\r\nHost: ${HOST}\r\nContent-Length: 100\r\n\r\nx`;
  for (let sent = 0; sent < MAX_CONNECTIONS + 38; sent += 50) {
    const clients = await Promise.all(
      Array.from({ length: 50 }, () => connectRawTls({ port: proxy.port })),
    );
    for (const client of clients) await client.write(upload);
    for (const client of clients) {
      await eventually(() => client.text.startsWith("HTTP/1.1 200"), "an early answer");
    }
    for (const client of clients) await client[Symbol.asyncDispose]();
  }
  assert.ok(backend.connections.length > MAX_CONNECTIONS);
  await eventually(() => backend.open === 0, "the connections are closed");
  await using other = await connectHttp2({ port: proxy.port, localAddress: "127.0.0.2" });
  assert.equal((await other.ask()).status, 200);
});

for (const protocol of ["auto", "h2"] as const) {
  Deno.test(`${protocol}: a backend that greets late gets one connection, and answers everybody`, async () => {
    await using backend = await startBackend({
      onConnection: ({ socket }) => serveH2(socket, 300),
    });
    await using proxy = await startL7({
      backend: backend.address,
      route: { backendProtocol: protocol },
    });
    await using client = await connectHttp2(proxy);
    const answers = await Promise.all(Array.from({ length: 50 }, () => client.ask()));
    assert.ok(answers.every(({ status }) => status === 204));
    assert.equal(backend.connections.length, 1);
  });
}

for (const front of FRONTS) {
  for (const protocol of ["auto", "h2", "http1"] as const) {
    Deno.test(`${protocol}: a backend that closes each connection is dialled 3 times at most for a request over ${front}`, async () => {
      await using backend = await startBackend({ onConnection: ({ socket }) => socket.end() });
      await using proxy = await startL7({
        backend: backend.address,
        route: { backendProtocol: protocol },
      });
      await using client = await CLIENTS[front](proxy);
      assert.equal((await client.ask()).status, 502);
      assert.ok(backend.connections.length <= 3, `${backend.connections.length} connections`);
    });
  }

  Deno.test(`a black hole is a 504 within connect_timeout over ${front}`, async () => {
    using hole = await startBlackHole();
    await using proxy = await startL7({
      backend: hole.address,
      settings: { connectTimeoutMs: 1000 },
    });
    await using client = await CLIENTS[front](proxy);
    const startedAt = performance.now();
    assert.equal((await client.ask()).status, 504);
    const took = performance.now() - startedAt;
    // One timeout, not two; the rest is a loaded machine's.
    assert.ok(took > 900 && took < 1900, `${took} ms`);
  });

  Deno.test(`a backend that takes connections and never finishes TLS is a 504 over ${front}`, async () => {
    await using backend = await startBackend({
      onConnection: ({ socket }) => socket.on("end", () => socket.end()),
    });
    await using proxy = await startL7({
      backend: backend.address,
      route: { backendTls: true },
      settings: { connectTimeoutMs: 500 },
    });
    await using client = await CLIENTS[front](proxy);
    assert.equal((await client.ask()).status, 504);
    assert.equal(backend.connections.length, 1);
    await backend.idle();
  });
}

Deno.test("a backend that changed from h2c to HTTP/1.1 costs few connections, and answers", async () => {
  let speaks: "h2c" | "http1" = "h2c";
  await using backend = await startBackend({
    onConnection: ({ socket }) => {
      if (speaks === "h2c") return serveH2(socket);
      socket.on("data", (bytes: Uint8Array) => {
        const text = new TextDecoder().decode(bytes);
        if (text.startsWith("PRI")) socket.end(HTTP1_ERROR);
        else socket.write(ANSWER);
      });
      socket.on("end", () => socket.end());
    },
  });
  await using proxy = await startL7({ backend: backend.address });
  await using client = await connectHttp2(proxy);
  assert.equal((await client.ask()).status, 204);
  speaks = "http1";
  const before = backend.connections.length;
  for (const { socket } of backend.connections) socket.destroy();
  const answers = await Promise.all(Array.from({ length: 20 }, () => client.ask()));
  assert.ok(answers.every(({ body }) => body === "ok"));
  // One to find out, one for each of twenty, and one that a request may have been lost with.
  assert.ok(backend.connections.length - before <= 22, `${backend.connections.length - before}`);
});

Deno.test("a flood of requests for a backend that is gone dials it a few times a second", async () => {
  await using backend = await startBackend({ onConnection: ({ socket }) => socket.end() });
  await using proxy = await startL7({
    backend: backend.address,
    route: { backendProtocol: "h2" },
    settings: { connectTimeoutMs: 1000 },
  });
  await using client = await connectHttp2(proxy);
  const until = performance.now() + 2000;
  const ask = async () => {
    while (performance.now() < until) assert.notEqual((await client.ask()).status, 200);
  };
  await Promise.all(Array.from({ length: 20 }, ask));
  assert.ok(backend.connections.length < 20, `${backend.connections.length} connections`);
});

Deno.test("connections to backends of routes that are gone are closed; open requests are answered", async () => {
  let finish = () => {};
  await using backend = await startHttpBackend("http1", (request, response) => {
    if (request.url === "/slow") finish = () => response.end("slow");
    else response.end("ok");
  });
  await using proxy = await startL7({
    backend: backend.address,
    route: { backendProtocol: "http1" },
    moreRoutes: [{ hostname: "b.test", backend: "127.0.0.1:1", mode: "l7" }],
  });
  await using client = await connectHttp2(proxy);
  const slow = client.ask({ path: "/slow" });
  await eventually(() => backend.open === 1, "the slow request is there");
  assert.equal((await client.ask()).body, "ok");
  assert.equal(backend.open, 2);
  await proxy.plane.apply([{ kind: "routes", listenerId: 1, set: [], remove: [HOST] }]);
  await eventually(() => backend.open === 1, "the idle connection is closed");
  finish();
  assert.equal((await slow).body, "slow");
  await eventually(() => backend.open === 0, "the last connection is closed");
});

Deno.test("connections made for one client alone are closed when it leaves", async () => {
  await using backend = await startBackend({
    onConnection: ({ socket }) => {
      socket.on("data", () => socket.write(ANSWER));
      socket.on("end", () => socket.end());
    },
  });
  await using proxy = await startL7({
    backend: backend.address,
    route: { backendProtocol: "http1", sendProxyProtocol: true },
  });
  await using other = await connectHttp2(proxy);
  {
    await using client = await connectHttp2(proxy);
    // The header alone is answered too: one answer too many closes the connection.
    await client.ask();
  }
  await eventually(() => backend.open === 0, "the connections are closed");
  assert.ok([200, 502].includes((await other.ask()).status));
});
