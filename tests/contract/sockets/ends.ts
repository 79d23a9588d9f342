import assert from "node:assert/strict";
import type { Sockets, StreamError } from "../../../lib/tcp/mod.ts";
import { eventually, withinDeadline } from "../../support/deadline.ts";
import { MB, MORE_THAN_BUFFERS, nothing, openPair, others, patterned, type Test } from "./pair.ts";

/** FIN and RST, in each direction and at each moment. */
export function testEnds(sockets: Sockets, test: Test): void {
  test("each direction ends by itself, after everything before it", async () => {
    await using pair = await openPair(sockets);
    const { client, server } = pair;
    client.stream.lend(new Uint8Array(MORE_THAN_BUFFERS), () => {});
    client.stream.end();
    client.stream.resume();
    server.stream.resume();
    await server.isTold("end");
    assert.equal(server.length, MORE_THAN_BUFFERS);
    assert.equal(server.stream.readEnded, true);
    server.stream.write(Uint8Array.of(1));
    server.stream.end();
    await client.isTold("end");
    assert.equal(client.length, 1);
    assert.deepEqual([client.told, server.told], [["end"], ["end"]]);
  });

  test("finish() closes when what is queued has been taken, not before", async () => {
    await using pair = await openPair(sockets);
    const { client, server } = pair;
    server.stream.write(Uint8Array.of(1));
    server.stream.end();
    client.stream.resume();
    await client.isTold("end");
    client.stream.lend(new Uint8Array(MORE_THAN_BUFFERS), () => {});
    client.stream.end();
    let finished = false;
    client.stream.finish(() => finished = true);
    assert.equal(finished, false);
    server.stream.resume();
    await server.isTold("end");
    assert.equal(server.length, MORE_THAN_BUFFERS);
    await eventually(() => finished, "it is finished");
    assert.equal(client.stream.closed, true);
  });

  for (const first of ["client", "server"] as const) {
    for (const read of [true, false]) {
      const condition = read ? "" : ", unread";
      test(`a FIN of the ${first} before its first octet${condition} does not end what it is sent`, async () => {
        await using pair = await openPair(sockets);
        const reader = pair[first];
        const writer = first === "client" ? pair.server : pair.client;
        reader.stream.end();
        if (read) {
          writer.stream.resume();
          await writer.isTold("end");
        }
        const sent = patterned(10 * MB);
        const names = [writer.stream.peerName(), writer.stream.localName()];
        for (let at = 0; at < sent.length; at += MB) {
          writer.stream.write(sent.subarray(at, at + MB));
        }
        assert.deepEqual([writer.stream.peerName(), writer.stream.localName()], names);
        writer.stream.end();
        await new Promise((resolve) => setTimeout(resolve, 50));
        for (let stop = MB; stop < sent.length; stop += MB) {
          reader.stream.resume();
          await reader.receives(stop);
          reader.stream.pause();
          await new Promise((resolve) => setTimeout(resolve, 5));
        }
        reader.stream.resume();
        await reader.isTold("end");
        assert(Buffer.from(sent).equals(reader.bytes));
        assert.deepEqual(writer.told, read ? ["end"] : []);
        writer.stream.resume();
        await writer.isTold("end");
        assert.deepEqual(writer.told, ["end"]);
      });
    }
  }

  test("a first write that has to wait does not disturb reading", async () => {
    await using pair = await openPair(sockets);
    const { client, server } = pair;
    client.stream.resume();
    client.stream.lend(new Uint8Array(MORE_THAN_BUFFERS), () => {});
    client.stream.pause();
    client.stream.resume();
    server.stream.write(Uint8Array.of(1, 2, 3));
    await client.receives(3);
    assert.deepEqual([...client.bytes], [1, 2, 3]);
    server.stream.resume();
    await server.receives(MORE_THAN_BUFFERS);
    client.stream.pause();
    server.stream.write(Uint8Array.of(4));
    await others(sockets);
    assert.equal(client.length, 3);
  });

  test("what is written on hearing of a FIN before the first octet arrives whole", async () => {
    await using pair = await openPair(sockets);
    const { client, server } = pair;
    const sent = patterned(10 * MB);
    const written = Promise.withResolvers<void>();
    server.stream.handler = {
      ...nothing,
      onEnd() {
        server.stream.write(sent);
        server.stream.end();
        written.resolve();
      },
    };
    server.stream.resume();
    client.stream.end();
    await withinDeadline(written.promise, "the FIN is told");
    client.stream.resume();
    await client.isTold("end");
    assert(Buffer.from(sent).equals(client.bytes));
  });

  test("after a write that failed, what the other side had sent can still be read", async () => {
    await using pair = await openPair(sockets);
    const { client, server } = pair;
    // Less than any window of a socket that has not been read: all of it is at the other side.
    server.stream.write(new Uint8Array(30_000));
    await eventually(() => server.stream.queued === 0, "the kernel has it");
    await others(sockets);
    server.stream.reset();
    await eventually(() => client.stream.isBroken(), "it is broken");
    client.stream.write(Uint8Array.of(1));
    await eventually(() => client.told.length > 0, "it is told");
    assert.match(client.told.join(), /^write E(PIPE|CONNRESET)$/);
    client.stream.resume();
    await client.receives(30_000);
  });

  test("a RST is told as one, at once when read and for the asking when paused", async () => {
    for (const paused of [false, true]) {
      await using pair = await openPair(sockets);
      const { client, server } = pair;
      client.stream.write(Uint8Array.of(1));
      server.stream.resume();
      await server.receives(1);
      if (paused) server.stream.pause();
      assert.equal(server.stream.isBroken(), false);
      client.stream.reset();
      assert.equal(client.stream.closed, true);
      if (paused) {
        await eventually(() => server.stream.isBroken(), "it is seen");
        assert.deepEqual(server.told, []);
        server.stream.resume();
      }
      await server.isTold("read ECONNRESET");
      assert.equal(server.stream.readError?.code, "ECONNRESET");
    }
  });

  test("a RST ends a write that waits", async () => {
    await using pair = await openPair(sockets);
    const { client, server } = pair;
    let written = 0;
    client.stream.lend(new Uint8Array(MORE_THAN_BUFFERS), () => written++);
    server.stream.reset();
    await eventually(() => client.told.length > 0, "it is told");
    await eventually(() => written === 1, "the memory is given back");
  });

  test("a peer that has ended both ways is not called broken", async () => {
    await using pair = await openPair(sockets);
    const { client, server } = pair;
    server.stream.end();
    client.stream.end();
    await others(sockets);
    assert.equal(server.stream.isBroken(), false);
    assert.equal(client.stream.isBroken(), false);
  });

  test("a handler that throws costs its own connection only", async () => {
    if (sockets.kind === "node") return; // There the event's emitter is node:net's own.
    await using pair = await openPair(sockets);
    const { client, server } = pair;
    const errors: StreamError[] = [];
    server.stream.handler = {
      ...nothing,
      onData() {
        throw new Error("a fault of ours");
      },
      onReadError: (error) => void errors.push(error),
    };
    server.stream.resume();
    client.stream.resume();
    client.stream.write(Uint8Array.of(1));
    await client.isTold("read ECONNRESET");
    assert.deepEqual(errors.map(({ code, message }) => [code, message]), [
      ["EHANDLER", "a fault of ours"],
    ]);
  });
}
