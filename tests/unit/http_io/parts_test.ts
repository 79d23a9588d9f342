import assert from "node:assert/strict";
import { H1ServerSession } from "../../../lib/h1/mod.ts";
import { H1ServerIo, Turns } from "../../../lib/http_io/mod.ts";
import { Flushes } from "../../../lib/http_io/flushes.ts";
import { ReadCopies } from "../../../lib/http_io/read_copies.ts";
import { FakeSocket } from "../../support/fake_socket.ts";

const turn = () => new Promise<void>((resolve) => queueMicrotask(resolve));

Deno.test("Flushes writes everybody's output at the end of the turn, each once", async () => {
  const flushes = new Flushes();
  const seen: string[] = [];
  flushes.add({ flush: () => seen.push("a") });
  flushes.add({
    flush() {
      seen.push("b");
      flushes.add({ flush: () => seen.push("later") });
    },
  });
  assert.deepEqual(seen, []);
  await turn();
  await turn();
  assert.deepEqual(seen, ["a", "b", "later"]);
  await turn();
  assert.equal(seen.length, 3);
});

Deno.test("ReadCopies gives memory that nobody writes to again, shared by small reads alone", () => {
  const copies = new ReadCopies();
  const source = new Uint8Array(20_000);
  const taken: (readonly [Uint8Array, number])[] = [];
  for (let i = 0; i < 400; i++) {
    const bytes = source.subarray(0, 1 + (i * 97) % 9000).fill(i & 255);
    taken.push([copies.of(bytes), i & 255]);
  }
  for (const [copy, value] of taken) assert.ok(copy.every((octet) => octet === value));
  const [small, next, large] = [10, 20, 8193].map((n) => copies.of(source.subarray(0, n)));
  assert.equal(small?.buffer, next?.buffer);
  assert.equal(large?.buffer.byteLength, 8193);
});

/** A server session that answers with pieces of these lengths, on such a connection. */
function serve(pieces: readonly number[], { later = false } = {}) {
  const answers: (() => void)[] = [];
  const socket = new FakeSocket();
  let now = 0;
  const gone: (string | undefined)[] = [];
  const nothing = () => {};
  const session = new H1ServerSession({
    now,
    handler: {
      onOutput: () => io.schedule(),
      onClose: () => io.close(),
      onData: nothing,
      onTrailers: nothing,
      onReset: nothing,
      onDrain: nothing,
      onInvalid: nothing,
      onRequest(stream) {
        const length = pieces.reduce((sum, one) => sum + one, 0);
        const answer = () => {
          stream.respond({ status: 200, fields: ["content-length", String(length)] }, false);
          for (const [i, one] of pieces.entries()) {
            stream.sendData(new Uint8Array(one), i === pieces.length - 1);
          }
        };
        if (later) answers.push(answer);
        else answer();
      },
    },
  });
  const io: H1ServerIo = new H1ServerIo(socket, session, {
    now: () => now,
    turns: new Turns(() => 0),
    onGone: (error) => void gone.push(error?.code),
  });
  return {
    ...{ socket, io, gone, answers },
    at(ms: number) {
      now = ms;
      io.tick(ms, 300_000);
    },
  };
}

const CLOSING = new TextEncoder().encode(
  "GET / HTTP/1.1\r\nhost: a.test\r\nconnection: close\r\n\r\n",
);
const KEPT = new TextEncoder().encode("GET / HTTP/1.1\r\nhost: a.test\r\n\r\n");

Deno.test("a head and its small content leave in one write, large content by itself", async () => {
  for (const [pieces, writes] of [[[5], 1], [[5000, 5000], 1], [[5000, 40_000], 2]] as const) {
    const { socket } = serve(pieces);
    socket.receive(KEPT);
    assert.equal(socket.writes, 0);
    await turn();
    assert.equal(socket.writes, writes, pieces.join());
  }
});

Deno.test("H1ServerIo sends its FIN behind the last answer and lingers, but not for ever", async () => {
  const { socket, at, gone } = serve([5]);
  socket.receive(CLOSING);
  await turn();
  await turn();
  assert.deepEqual([socket.ended, socket.destroyed, socket.paused], [true, false, false]);
  at(1999);
  socket.receive(new Uint8Array(10));
  at(3998);
  assert.equal(socket.destroyed, false, "it still sends");
  at(3999);
  assert.equal(socket.destroyed, true);
  assert.deepEqual(gone, [undefined]);
});

Deno.test("H1ServerIo reads and drops what a client sends behind its last request", async () => {
  const { socket, answers } = serve([5], { later: true });
  socket.receive(CLOSING);
  socket.receive(KEPT);
  assert.equal(socket.paused, true, "it came ahead of its turn");
  answers[0]?.();
  await turn();
  await turn();
  assert.deepEqual([socket.writes, socket.ended, socket.paused], [1, true, false]);
  socket.receive(KEPT);
  await turn();
  assert.equal(socket.writes, 1, "nothing of it is answered");
});

Deno.test("H1ServerIo gives a client that reads its last answer slowly the time to idle", async () => {
  const { socket, at } = serve([5]);
  socket.full = true;
  socket.receive(CLOSING);
  await turn();
  await turn();
  at(299_999);
  assert.equal(socket.destroyed, false);
  socket.drain();
  at(301_998);
  assert.equal(socket.destroyed, false, "it lingers from now on");
  at(301_999);
  assert.equal(socket.destroyed, true);
});

Deno.test("H1ServerIo tells once that a connection is gone, and with what", () => {
  const { socket, gone } = serve([5]);
  socket.destroy();
  assert.deepEqual(gone, ["ECONNRESET"]);
  assert.equal(socket.destroyed, true);
});
