import assert from "node:assert/strict";
import type { Sockets } from "../../../lib/tcp/mod.ts";
import { eventually } from "../../support/deadline.ts";
import { MB, MORE_THAN_BUFFERS, nothing, openPair, others, patterned, type Test } from "./pair.ts";

/** What is read and when; whose memory it is. */
export function testReading(sockets: Sockets, test: Test): void {
  test("nothing is read before resume(), nor after pause(), and nothing is lost", async () => {
    await using pair = await openPair(sockets);
    const { client, server } = pair;
    client.stream.write(Uint8Array.of(1, 2, 3));
    await others(sockets);
    assert.equal(server.length, 0);
    server.stream.resume();
    await server.receives(3);
    server.stream.pause();
    client.stream.write(Uint8Array.of(4));
    await others(sockets);
    assert.equal(server.length, 3);
    server.stream.resume();
    await server.receives(4);
    assert.deepEqual([...server.bytes], [1, 2, 3, 4]);
  });

  test("streams that are read in turns do not see each other's octets", async () => {
    await using a = await openPair(sockets);
    await using b = await openPair(sockets);
    for (const { server } of [a, b]) server.stream.resume();
    for (let i = 0; i < 50; i++) {
      a.client.stream.write(new Uint8Array(i + 1).fill(1));
      b.client.stream.write(new Uint8Array(i + 1).fill(2));
    }
    await a.server.receives(1275);
    await b.server.receives(1275);
    assert(a.server.bytes.every((octet) => octet === 1));
    assert(b.server.bytes.every((octet) => octet === 2));
  });

  test("what is passed on arrives unchanged through small reads and bulk, with back-pressure", async () => {
    await using inbound = await openPair(sockets, { keeps: false });
    await using outbound = await openPair(sockets);
    const { stream: from } = inbound.server;
    const { stream: to } = outbound.client;
    from.handler = {
      ...nothing,
      onData: () => void (!from.passOn(to) && to.queued > MB && from.pause()),
      onEnd: () => to.end(),
    };
    to.handler = { ...nothing, onDrain: () => from.resume() };
    outbound.server.stream.resume();
    from.resume();
    const sent = patterned(MORE_THAN_BUFFERS);
    for (let at = 0; at < 1000; at++) inbound.client.stream.write(sent.subarray(at, at + 1));
    await outbound.server.receives(1000);
    inbound.client.stream.lend(sent.subarray(1000), () => {});
    inbound.client.stream.end();
    await outbound.server.isTold("end");
    assert(Buffer.from(sent).equals(outbound.server.bytes));
  });
}

/** What is taken, queued and given back. */
export function testWriting(sockets: Sockets, test: Test): void {
  test("a small write is taken at once, and its memory may be used again", async () => {
    await using pair = await openPair(sockets);
    const { client, server } = pair;
    const memory = Uint8Array.of(1, 2, 3);
    assert.equal(client.stream.write(memory), true);
    memory.fill(9);
    assert.equal(client.stream.queued, 0);
    server.stream.resume();
    await server.receives(3);
    assert.deepEqual([...server.bytes], [1, 2, 3]);
  });

  test("what is not taken is counted, told of when it is, and copied unless it was lent", async () => {
    await using pair = await openPair(sockets);
    const { client, server } = pair;
    let written = 0;
    const large = patterned(MORE_THAN_BUFFERS);
    assert.equal(client.stream.lend(large, () => written++), false);
    assert(client.stream.queued >= MORE_THAN_BUFFERS);
    const memory = Uint8Array.of(1, 2, 3);
    assert.equal(client.stream.write(memory), false);
    memory.fill(9);
    assert.deepEqual([written, client.drains], [0, 0]);
    server.stream.resume();
    await server.receives(MORE_THAN_BUFFERS + 3);
    await eventually(() => client.drains > 0, "everything is taken");
    assert.deepEqual([written, client.drains, client.stream.queued], [1, 1, 0]);
    const { bytes } = server;
    assert.deepEqual([...bytes.subarray(MORE_THAN_BUFFERS)], [1, 2, 3]);
    assert(Buffer.from(large).equals(bytes.subarray(0, MORE_THAN_BUFFERS)));
  });

  test("a copy that waits is not written over by other streams", async () => {
    await using slow = await openPair(sockets);
    await using quick = await openPair(sockets);
    let sent = 0;
    for (let taken = true; taken; sent++) {
      taken = slow.client.stream.write(new Uint8Array(60_000).fill(sent % 251));
    }
    for (let i = 0; i < 50; i++) quick.client.stream.write(new Uint8Array(60_000).fill(255));
    slow.server.stream.resume();
    await slow.server.receives(sent * 60_000);
    const { bytes } = slow.server;
    for (let at = 0; at < bytes.length; at += 500) {
      assert.equal(bytes[at], Math.floor(at / 60_000) % 251, `octet ${at}`);
    }
  });

  test("closing or resetting ends what is queued, and gives lent memory back", async () => {
    for (const how of ["close", "reset"] as const) {
      await using pair = await openPair(sockets);
      const { client } = pair;
      let written = 0;
      client.stream.lend(new Uint8Array(MORE_THAN_BUFFERS), () => written++);
      client.stream[how]();
      client.stream[how]();
      await eventually(() => written === 1, "the memory is given back");
      assert.equal(client.stream.closed, true);
      assert.deepEqual([client.drains, client.told], [0, []]);
      assert.equal(client.stream.write(Uint8Array.of(1)), true, "there is nobody to wait for");
      pair.server.stream.resume();
      await pair.server.isTold(how === "close" ? "end" : "read ECONNRESET");
    }
  });
}
