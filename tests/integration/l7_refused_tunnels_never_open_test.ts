import assert from "node:assert/strict";
import { type Backend, startBackend } from "../support/backends.ts";
import { eventually } from "../support/deadline.ts";
import { attachSession } from "../support/h2_socket.ts";
import { startL7 } from "../support/l7.ts";
import { TUNNELS, WEBSOCKET_ACCEPT } from "../support/tunnels.ts";

const FRONTS = Object.keys(TUNNELS) as (keyof typeof TUNNELS)[];
const SWITCH = "HTTP/1.1 101 Switching Protocols\r\n";

/** `Sec-WebSocket-Accept` for whatever key the request had. */
async function accept(head: string): Promise<string> {
  const key = /sec-websocket-key: (\S+)/i.exec(head)?.[1] ?? "";
  const text = new TextEncoder().encode(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`);
  return btoa(String.fromCharCode(...new Uint8Array(await crypto.subtle.digest("SHA-1", text))));
}

/** A backend that answers an upgrade with `reply`, where ACCEPT stands for the right value. */
function startHttp1(reply: string): Promise<Backend> {
  return startBackend({
    onConnection: ({ socket }) => {
      socket.once("data", (bytes: Uint8Array) => {
        accept(new TextDecoder().decode(bytes))
          .then((value) => {
            socket.write(reply.replace("ACCEPT", value));
            if (reply.includes("without end")) socket.end();
          })
          .catch(() => socket.destroy());
      });
      socket.on("end", () => socket.end());
    },
  });
}

/** A backend over HTTP/2 that answers an extended CONNECT with a status. */
function startHttp2(status: number): Promise<Backend> {
  return startBackend({
    onConnection: ({ socket }) => {
      attachSession(socket, "server", {
        onRequest: (stream) => stream.respond({ status, fields: [] }),
        onData: (stream, bytes, end) => {
          stream.consume(bytes.length);
          if (end) stream.sendData(new Uint8Array(0), true);
        },
      });
      socket.on("end", () => socket.end());
    },
  });
}

const REFUSALS: Readonly<Record<string, readonly [reply: string, status: number]>> = {
  "403": ["HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno", 403],
  "426": ["HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\n\r\n", 426],
  "301": ["HTTP/1.1 301 Moved\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n", 301],
  "500 without a length": ["HTTP/1.1 500 Oops\r\n\r\nwithout end", 500],
  // Over HTTP/2 each of them would say that the tunnel is open.
  "200": ["HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 502],
  "200 without a length": ["HTTP/1.1 200 OK\r\n\r\nraw octets", 502],
  "204": ["HTTP/1.1 204 No Content\r\n\r\n", 502],
  "a 101 without Upgrade": [`${SWITCH}Sec-WebSocket-Accept: ACCEPT\r\n\r\n`, 502],
  "a 101 to another protocol": [
    `${SWITCH}Connection: Upgrade\r\nUpgrade: h2c\r\nSec-WebSocket-Accept: ACCEPT\r\n\r\n`,
    502,
  ],
  "a 101 for another key": [
    `${SWITCH}Connection: Upgrade\r\nUpgrade: websocket\r\n` +
    `Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n`,
    502,
  ],
  "a 101 without an accepted key": [
    `${SWITCH}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n`,
    502,
  ],
};

for (const front of FRONTS) {
  for (const [name, [reply, expected]] of Object.entries(REFUSALS)) {
    Deno.test(`${name} opens no tunnel over ${front}`, async () => {
      await using backend = await startHttp1(reply);
      await using proxy = await startL7({ backend: backend.address });
      await using tunnel = await TUNNELS[front](proxy.port);
      assert.equal(tunnel.status, expected);
      tunnel.send("GET /smuggled HTTP/1.1\r\nHost: a.test\r\n\r\n");
      await eventually(() => backend.open === 0, "the backend's connection is closed");
      const seen = backend.connections.map(({ text }) => text).join();
      assert.equal(seen.includes("smuggled"), false, "what follows a refusal goes nowhere");
    });
  }

  for (const status of [301, 403, 404, 500]) {
    Deno.test(`a backend over HTTP/2 that answers ${status} opens no tunnel over ${front}`, async () => {
      await using backend = await startHttp2(status);
      await using proxy = await startL7({
        backend: backend.address,
        route: { backendProtocol: "h2" },
        settings: { idleTimeoutMs: 1000 },
      });
      await using tunnel = await TUNNELS[front](proxy.port);
      assert.equal(tunnel.status, status);
      const before = backend.connections[0]?.received.length ?? 0;
      tunnel.send("smuggled");
      await new Promise((resolve) => setTimeout(resolve, 50));
      const more = backend.connections[0]?.received.subarray(before) ?? new Uint8Array(0);
      assert.equal(new TextDecoder().decode(more).includes("smuggled"), false);
    });
  }

  for (const status of [200, 204, 299]) {
    Deno.test(`a backend over HTTP/2 that answers ${status} opens one over ${front}`, async () => {
      await using backend = await startHttp2(status);
      await using proxy = await startL7({
        backend: backend.address,
        route: { backendProtocol: "h2" },
      });
      await using tunnel = await TUNNELS[front](proxy.port);
      assert.equal(tunnel.status, front === "h2" ? 200 : 101);
      if (front === "http/1.1") {
        assert.ok(tunnel.peer.text.includes(`sec-websocket-accept: ${WEBSOCKET_ACCEPT}`));
      }
      tunnel.send("through");
      const [connection] = backend.connections;
      await eventually(
        () => new TextDecoder().decode(connection?.received).includes("through"),
        "octets reach the backend",
      );
    });
  }
}
