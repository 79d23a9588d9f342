import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { type Backend, startBackend } from "../support/backends.ts";
import { eventually } from "../support/deadline.ts";
import { attachSession } from "../support/h2_socket.ts";
import { Wire } from "../support/h1_wire.ts";
import { HOST, startL7 } from "../support/l7.ts";
import type { TestPlane } from "../support/plane.ts";
import { RawHttp2Client } from "../support/raw_http2.ts";
import { TUNNELS } from "../support/tunnels.ts";

const FRONTS = Object.keys(TUNNELS) as (keyof typeof TUNNELS)[];
const IDLE_MS = 1000;

/** A backend that opens every tunnel, then does what `then` says. */
function startTunnels(then: (socket: Socket) => void = () => {}): Promise<Backend> {
  return startBackend({
    onConnection: ({ socket }) => {
      socket.once("data", async (bytes: Uint8Array) => {
        const key = /sec-websocket-key: (\S+)/i.exec(new TextDecoder().decode(bytes))?.[1] ?? "";
        const text = new TextEncoder().encode(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`);
        const digest = new Uint8Array(await crypto.subtle.digest("SHA-1", text));
        socket.write(
          "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
            `Sec-WebSocket-Accept: ${btoa(String.fromCharCode(...digest))}\r\n\r\n`,
        );
        then(socket);
      });
      socket.on("end", () => socket.end());
    },
  });
}

function startProxy(backend: Backend): Promise<TestPlane> {
  return startL7({ backend: backend.address, settings: { idleTimeoutMs: IDLE_MS } });
}

/** A backend over HTTP/2 that opens every tunnel and says nothing. */
function startSilentHttp2(): Promise<Backend> {
  return startBackend({
    onConnection: ({ socket }) => {
      attachSession(socket, "server", {
        onRequest: (stream) => stream.respond({ status: 200, fields: [] }),
      });
      socket.on("end", () => socket.end());
    },
  });
}

/** What the proxy itself refuses, with what it says. The client then stays and is silent. */
const REFUSED: Readonly<Record<string, readonly [fields: readonly string[], status: number]>> = {
  "CONNECT": [["CONNECT a.test:443 HTTP/1.1", "Host: a.test:443"], 501],
  "an upgrade to h2c": [
    ["GET / HTTP/1.1", "Host: a.test", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c"],
    501,
  ],
};

for (const [name, [lines, status]] of Object.entries(REFUSED)) {
  Deno.test(`${name} over HTTP/1.1 is a ${status}, and a client that stays gives the permit back`, async () => {
    await using backend = await startTunnels();
    await using proxy = await startProxy(backend);
    using wire = await Wire.connect(proxy);
    await wire.send(`${lines.join("\r\n")}\r\n\r\n`);
    assert.equal((await wire.answer()).status, status);
    await eventually(() => proxy.active === 0, "the permit is back");
    assert.equal(backend.connections.length, 0);
  });
}

const CONNECTS: Readonly<Record<string, readonly string[]>> = {
  "CONNECT": [":method", "CONNECT", ":authority", `${HOST}:443`],
  "an extended CONNECT for another protocol": [
    [":method", "CONNECT"],
    [":protocol", "connect-udp"],
    [":scheme", "https"],
    [":authority", HOST],
    [":path", "/"],
  ].flat(),
};

for (const [name, fields] of Object.entries(CONNECTS)) {
  Deno.test(`${name} over HTTP/2 is a 501, and a client that stays gives the permit back`, async () => {
    await using backend = await startTunnels();
    await using proxy = await startProxy(backend);
    await using client = await RawHttp2Client.connect(proxy.port);
    await client.write(client.headers(1, fields, false));
    assert.equal(await client.answer(1), "501");
    await eventually(() => proxy.active === 0, "the permit is back");
    assert.equal(backend.connections.length, 0);
  });
}

for (const front of FRONTS) {
  Deno.test(`a silent tunnel to a backend over HTTP/2 gives its permit back over ${front}`, async () => {
    await using backend = await startSilentHttp2();
    await using proxy = await startL7({
      backend: backend.address,
      route: { backendProtocol: "h2" },
      settings: { idleTimeoutMs: IDLE_MS },
    });
    await using tunnel = await TUNNELS[front](proxy.port);
    assert.equal(tunnel.status, front === "h2" ? 200 : 101);
    assert.equal(proxy.active, 1);
    await eventually(() => tunnel.ended(), "the tunnel ends");
    await eventually(() => proxy.active === 0, "the permit is back");
  });

  Deno.test(`a tunnel on which nothing moves gives its permit back over ${front}`, async () => {
    await using backend = await startTunnels();
    await using proxy = await startProxy(backend);
    await using tunnel = await TUNNELS[front](proxy.port);
    assert.equal(proxy.active, 1);
    await eventually(() => tunnel.ended(), "the tunnel ends");
    await eventually(() => proxy.active === 0, "the permit is back");
    await backend.idle();
  });

  Deno.test(`a tunnel on which something moves keeps it over ${front}`, async () => {
    await using backend = await startTunnels((socket) => socket.pipe(socket));
    await using proxy = await startProxy(backend);
    await using tunnel = await TUNNELS[front](proxy.port);
    for (let i = 0; i < 12; i++) {
      tunnel.send("x");
      await new Promise((resolve) => setTimeout(resolve, IDLE_MS / 4));
      assert.equal(proxy.active, 1);
    }
    assert.equal(tunnel.text().length >= 11, true);
    assert.equal(tunnel.ended(), false);
  });

  Deno.test(`a client that stays when its tunnel has ended gives the permit back over ${front}`, async () => {
    await using backend = await startTunnels((socket) => socket.end("bye"));
    await using proxy = await startProxy(backend);
    await using tunnel = await TUNNELS[front](proxy.port);
    await eventually(() => tunnel.ended(), "the tunnel ends");
    assert.equal(tunnel.text(), "bye");
    // The client's side stays open, and the client is silent.
    await eventually(() => proxy.active === 0, "the permit is back");
  });

  Deno.test(`a client that stays and was refused gives the permit back over ${front}`, async () => {
    await using backend = await startBackend({
      onConnection: ({ socket }) => {
        socket.once("data", () => {
          socket.write("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
        });
        socket.on("end", () => socket.end());
      },
    });
    await using proxy = await startProxy(backend);
    await using tunnel = await TUNNELS[front](proxy.port);
    assert.equal(tunnel.status, 403);
    await eventually(() => proxy.active === 0, "the permit is back");
  });

  Deno.test(`a client that ends its side of a tunnel ends the backend's, over ${front}`, async () => {
    await using backend = await startTunnels();
    await using proxy = await startProxy(backend);
    await using tunnel = await TUNNELS[front](proxy.port);
    tunnel.send("last words");
    tunnel.end();
    const connection = await backend.connection();
    const { text, ending } = await connection.readToEnd();
    assert.ok(text.endsWith("last words"));
    assert.equal(ending, "end");
    await eventually(() => tunnel.ended(), "the tunnel ends");
  });

  Deno.test(`twenty tunnels at once give twenty permits back over ${front}`, async () => {
    await using backend = await startTunnels();
    await using proxy = await startProxy(backend);
    await using tunnels = new AsyncDisposableStack();
    const opening = Array.from({ length: 20 }, () => TUNNELS[front](proxy.port));
    for (const tunnel of await Promise.all(opening)) tunnels.use(tunnel);
    assert.equal(backend.connections.length, 20, "each has its own connection");
    await eventually(() => proxy.active === 0 && backend.open === 0, "all permits are back");
  });
}
