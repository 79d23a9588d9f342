import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { type Backend, startBackend } from "../support/backends.ts";
import { eventually } from "../support/deadline.ts";
import { startL7 } from "../support/l7.ts";
import type { TestPlane } from "../support/plane.ts";
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

for (const front of FRONTS) {
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
