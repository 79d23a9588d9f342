import assert from "node:assert/strict";
import { startBackend, startSilentBackend } from "../support/backends.ts";
import { eventually } from "../support/deadline.ts";
import { kernelOctets } from "../support/kernel_octets.ts";
import { startL7 } from "../support/l7.ts";
import { requestText, Wire } from "../support/h1_wire.ts";

/** Resolves when `count` has stood still for half a second. */
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

/** What one message may hold in this process beyond what the kernel holds, in octets. */
const HELD_OCTETS = 256 * 1024;

for (const framing of ["Content-Length: 2000000000", "Transfer-Encoding: chunked"]) {
  Deno.test(`an upload that the backend does not take stops the client (${framing})`, async () => {
    await using backend = await startSilentBackend();
    await using proxy = await startL7({
      backend: backend.address,
      route: { backendProtocol: "http1" },
    });
    using wire = await Wire.connect(proxy);
    await wire.send(`POST / HTTP/1.1\r\nHost: a.test\r\n${framing}\r\n\r\n`);
    const piece = framing.endsWith("chunked")
      ? new TextEncoder().encode(`fff0\r\n${"x".repeat(0xfff0)}\r\n`)
      : new Uint8Array(65536);
    let sent = 0;
    const sending = (async () => {
      while (sent < 1e9) {
        await wire.send(piece);
        sent += piece.length;
      }
    })().catch(() => {});
    await stoppedAt(() => sent, "the upload stops");
    const held = sent - await kernelOctets(proxy.port, backend.port);
    assert.ok(held <= HELD_OCTETS, `${held} of ${sent} octets are held beside the kernel's`);
    const peer = await backend.connection();
    await peer[Symbol.asyncDispose]();
    wire[Symbol.dispose]();
    await sending;
  });
}

Deno.test("a client that does not read stops the backend", async () => {
  let sent = 0;
  await using backend = await startBackend({
    onConnection({ socket }) {
      socket.once("data", () => {
        socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2000000000\r\n\r\n");
        const piece = new Uint8Array(65536);
        const more = () => {
          while (sent < 1e9) {
            sent += piece.length;
            if (!socket.write(piece)) return void socket.once("drain", more);
          }
        };
        more();
      });
      socket.on("end", () => socket.destroy());
    },
  });
  await using proxy = await startL7({
    backend: backend.address,
    route: { backendProtocol: "http1" },
  });
  using wire = await Wire.connect(proxy);
  await wire.send(requestText("GET", "/"));
  await stoppedAt(() => sent, "the backend stops");
  // The backend's own socket of node:net holds the last piece that it was given.
  const held = sent - 65536 - await kernelOctets(proxy.port, backend.port);
  assert.ok(held <= HELD_OCTETS, `${held} of ${sent} octets are held beside the kernel's`);
});

Deno.test("interim responses to a client that does not read do not pile up", async () => {
  await using backend = await startBackend({
    onConnection({ socket }) {
      socket.once("data", () => {
        socket.write(`HTTP/1.1 103 Early Hints\r\nLink: </${"x".repeat(1000)}>\r\n\r\n`.repeat(60));
        socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
      });
      socket.on("end", () => socket.end());
    },
  });
  await using proxy = await startL7({
    backend: backend.address,
    route: { backendProtocol: "http1" },
  });
  using wire = await Wire.connect(proxy);
  await wire.send(requestText("GET", "/"));
  let interim = 0;
  for (;;) {
    const { status, body } = await wire.answer();
    if (status === 103) interim++;
    else {
      assert.deepEqual([status, body], [200, "ok"]);
      break;
    }
  }
  assert.equal(interim, 8);
});

Deno.test("a backend that sends interim responses without end gets its client a 502", async () => {
  await using backend = await startBackend({
    onConnection({ socket }) {
      socket.once("data", () => socket.write("HTTP/1.1 103 Early Hints\r\n\r\n".repeat(65)));
      socket.on("end", () => socket.end());
    },
  });
  await using proxy = await startL7({
    backend: backend.address,
    route: { backendProtocol: "http1" },
  });
  using wire = await Wire.connect(proxy);
  await wire.send(requestText("GET", "/"));
  for (let i = 0; i < 8; i++) assert.equal((await wire.answer()).status, 103);
  assert.equal((await wire.answer()).status, 502);
  assert.ok(await wire.isQuiet(), "the client's connection goes on");
});
