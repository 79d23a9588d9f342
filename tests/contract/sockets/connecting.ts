import assert from "node:assert/strict";
import type { Sockets } from "../../../lib/tcp/mod.ts";
import { eventually } from "../../support/deadline.ts";
import { unusedPort } from "../../support/ports.ts";
import { dial, LOOPBACK, openPair, Recorder, type Test } from "./pair.ts";

/** Attempts to connect. */
export function testConnecting(sockets: Sockets, test: Test): void {
  test("a refused connection is told with its code, after connect() has returned", async () => {
    const port = await unusedPort();
    await assert.rejects(dial(sockets, port), { code: "ECONNREFUSED" });
    await assert.rejects(dial(sockets, port, "::1"), { code: "ECONNREFUSED" });
    let told = false;
    const { promise, resolve } = Promise.withResolvers<void>();
    sockets.connect(LOOPBACK, port, {
      onConnect: () => assert.fail("nobody listens"),
      onFailure() {
        told = true;
        resolve();
      },
    });
    assert.equal(told, false);
    await promise;
  });

  test("an attempt that is cancelled tells nothing and leaves nothing", async () => {
    const accepted: Recorder[] = [];
    const listener = await sockets.listen({ host: LOOPBACK, port: 0 }, (stream) => {
      accepted.push(new Recorder(stream));
      stream.resume();
    });
    const fail = () => assert.fail("it was cancelled");
    const dialling = sockets.connect(LOOPBACK, listener.port, {
      onConnect: fail,
      onFailure: fail,
    });
    dialling.cancel();
    dialling.cancel();
    (await dial(sockets, listener.port)).close();
    await eventually(() => accepted.length > 0, "the other one is accepted");
    await eventually(() => accepted.every(({ told }) => told.length > 0), "all have ended");
    for (const { stream } of accepted) stream.close();
    listener.close();
  });
}

/** What becomes of a stream that is handed to `node:net`. */
export function testHandOver(sockets: Sockets, test: Test): void {
  test("toSocket() hands over everything that was not read, and close and reset go on to work", async () => {
    for (const how of ["close", "reset"] as const) {
      await using pair = await openPair(sockets);
      const { client, server } = pair;
      client.stream.write(Uint8Array.of(1));
      server.stream.resume();
      await server.receives(1);
      server.stream.pause();
      client.stream.write(Uint8Array.of(2, 3));
      const socket = server.stream.toSocket();
      assert.equal(server.stream.toSocket(), socket);
      assert.equal(socket.isPaused(), true);
      socket.unshift(Uint8Array.of(1));
      const chunks: Uint8Array[] = [];
      socket.on("data", (chunk: Uint8Array) => chunks.push(chunk));
      socket.resume();
      await eventually(() => Buffer.concat(chunks).length === 3, "three octets are read");
      assert.deepEqual([...Buffer.concat(chunks)], [1, 2, 3]);
      assert.equal(server.length, 1);
      client.stream.resume();
      socket.write(Uint8Array.of(4));
      await client.receives(1);
      assert.equal(server.stream.peerName()?.port, client.stream.localName()?.port);
      server.stream[how]();
      await client.isTold(how === "close" ? "end" : "read ECONNRESET");
      assert.equal(server.stream.closed, true);
    }
  });
}
