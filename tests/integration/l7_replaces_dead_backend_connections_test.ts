import assert from "node:assert/strict";
import type { Http2ServerResponse } from "node:http2";
import type { H2Session, H2Stream } from "../../lib/h2/mod.ts";
import { eventually } from "../support/deadline.ts";
import { attachSession } from "../support/h2_socket.ts";
import { startBackend } from "../support/backends.ts";
import {
  type Answer,
  connectHttp2,
  HttpBackend,
  startHttpBackend,
  startL7,
} from "../support/l7.ts";

/** RFC 9113 §7. */
const REFUSED_STREAM = 7;

const transports = ["own", "node"] as const;

for (const h2Transport of transports) {
  const settings = { l7: { h2Transport, accessLog: true } };
  const claim = (name: string, fn: () => Promise<void>) =>
    Deno.test(`"${h2Transport}": ${name}`, fn);

  claim("a backend that was restarted is found again", async () => {
    const first = await startHttpBackend("h2c", (_, response) => response.end("first"));
    const { port } = first;
    await using proxy = await startL7({ backend: first.address, settings });
    await using client = await connectHttp2(proxy);
    assert.equal((await client.ask()).body, "first");
    await first[Symbol.asyncDispose]();
    assert.equal((await client.ask()).status, 502);
    await using second = await startHttpBackend("h2c", (_, response) => response.end("second"), {
      port,
    });
    assert.equal((await client.ask()).body, "second");
    assert.ok(second instanceof HttpBackend);
  });

  claim(
    "a safe request that a dying connection took along is sent again, another is not",
    async () => {
      let count = 0;
      await using backend = await startHttpBackend("h2c", (request, response) => {
        request.resume();
        // The first of each method dies with its connection.
        if (++count % 2 === 1) return void response.stream.session?.destroy();
        response.end("ok");
      });
      await using proxy = await startL7({
        backend: backend.address,
        route: { backendProtocol: "h2" },
        settings,
      });
      await using client = await connectHttp2(proxy);
      assert.equal((await client.ask()).status, 200);
      assert.equal(count, 2);
      assert.equal((await client.ask({ method: "POST", body: "content" })).status, 502);
      assert.equal(count, 3, "a POST is not repeated");
    },
  );

  claim("a stream that the backend refuses is sent again, whatever its method", async () => {
    let refused = 0;
    await using backend = await startHttpBackend("h2c", (_, response) => {
      if (refused++ === 0) return (response as Http2ServerResponse).stream.close(REFUSED_STREAM);
      response.end("ok");
    });
    await using proxy = await startL7({
      backend: backend.address,
      route: { backendProtocol: "h2" },
      settings,
    });
    await using client = await connectHttp2(proxy);
    assert.equal((await client.ask({ method: "DELETE" })).status, 200);
    assert.equal(refused, 2);
  });
}

// The client of node:http2 drops what comes in one read with a GOAWAY (Deno 2.9.6), so only ours.
Deno.test("a connection that the backend tells to go away is replaced, and no request fails", async () => {
  // lib/h2 as the server: that of node:http2 says that it processed nothing, and goes on.
  const sessions: H2Session[] = [];
  const open: H2Stream[] = [];
  const answer = (stream: H2Stream) => {
    stream.respond({ status: 200, fields: [] });
    stream.sendData(new TextEncoder().encode("ok"), true);
  };
  await using backend = await startBackend({
    onConnection: ({ socket }) => {
      const onRequest = (stream: H2Stream) => void open.push(stream);
      sessions.push(attachSession(socket, "server", { onRequest }));
    },
  });
  await using proxy = await startL7({ backend: backend.address });
  await using client = await connectHttp2(proxy);
  for (let round = 1; round <= 4; round++) {
    const answers = Array.from({ length: 5 }, () => client.ask());
    await eventually(() => open.length === 5, "the requests of the round are at the backend");
    // Graceful: what is open is answered, new streams need a new connection.
    for (const session of sessions.splice(0)) session.shutdown();
    for (const stream of open.splice(0)) answer(stream);
    for (const { status } of await Promise.all(answers)) assert.equal(status, 200);
    assert.equal(backend.connections.length, round);
  }
});

Deno.test("clients that take all streams of a backend get 503 beyond their share, others do not", async () => {
  let answer = false;
  await using backend = await startBackend({
    onConnection: ({ socket }) => {
      attachSession(socket, "server", {
        onRequest: (stream) => answer && stream.respond({ status: 200, fields: [] }, true),
      });
      socket.on("end", () => socket.end());
    },
  });
  await using proxy = await startL7({
    backend: backend.address,
    route: { backendProtocol: "h2" },
    settings: { connectTimeoutMs: 1000 },
  });
  // 100 streams for each connection of a client, 100 for each of 32 to the backend: half of that.
  const streams: Promise<Answer | undefined>[] = [];
  await using clients = new AsyncDisposableStack();
  for (let i = 0; i < 17; i++) {
    const client = clients.use(await connectHttp2(proxy));
    for (let j = 0; j < 100; j++) streams.push(client.ask().catch(() => undefined));
  }
  await eventually(() => proxy.requests.length === 100, "those beyond the share are answered");
  assert.ok(proxy.requests.every(({ status }) => status === 503));
  assert.match(proxy.requests[0]?.reason ?? "", /share/);
  assert.equal(backend.connections.length, 16);
  answer = true;
  await using other = await connectHttp2({ port: proxy.port, localAddress: "127.0.0.2" });
  assert.equal((await other.ask()).status, 200);
  await clients.disposeAsync();
  await Promise.all(streams);
});

Deno.test("connections of HTTP/1.1 are kept and used again", async () => {
  await using backend = await startHttpBackend("http1", (_, response) => response.end("ok"));
  await using proxy = await startL7({
    backend: backend.address,
    route: { backendProtocol: "http1" },
  });
  await using client = await connectHttp2(proxy);
  for (let i = 0; i < 20; i++) assert.equal((await client.ask()).body, "ok");
  assert.equal(backend.connections, 1);
});

Deno.test("a safe request that meets a closed kept connection of HTTP/1.1 is sent again", async () => {
  let count = 0;
  await using backend = await startHttpBackend("http1", (request, response) => {
    if (++count === 2) return void request.socket.destroy();
    response.end("ok");
  });
  await using proxy = await startL7({
    backend: backend.address,
    route: { backendProtocol: "http1" },
  });
  await using client = await connectHttp2(proxy);
  assert.equal((await client.ask()).status, 200);
  assert.equal((await client.ask()).status, 200);
  assert.equal(count, 3);
});
