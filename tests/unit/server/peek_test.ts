import assert from "node:assert/strict";
import type { Clock } from "../../../lib/relay/mod.ts";
import { Deadlines } from "../../../lib/relay/mod.ts";
import { Peek } from "../../../lib/server/peek.ts";
import { NO_HANDLER, StreamError } from "../../../lib/tcp/mod.ts";
import { type Decoded, invalid, NEED, ok } from "../../../lib/wire/mod.ts";
import { FakeStream } from "../../support/fake_stream.ts";

/** Time in one step: everything that is due runs. */
class OneStepClock implements Clock {
  #now = 0;
  #ticks = new Set<() => void>();
  now = () => this.#now;
  wallNow = () => this.#now;
  every(_ms: number, fn: () => void) {
    this.#ticks.add(fn);
    return () => void this.#ticks.delete(fn);
  }
  advance(ms: number) {
    this.#now += ms;
    for (const tick of [...this.#ticks]) tick();
  }
}

function start() {
  const stream = new FakeStream();
  const clock = new OneStepClock();
  const deadlines = new Deadlines(5000, clock);
  const peek = new Peek(stream, deadlines);
  return { stream, clock, deadlines, peek };
}

/** `length` octets; none of them may be 255. */
function fixed(length: number) {
  return (bytes: Uint8Array): Decoded<number[]> => {
    if (bytes.includes(255)) return invalid("an octet is 255");
    return bytes.length < length ? NEED : ok([...bytes.subarray(0, length)], length);
  };
}

Deno.test("Peek.read() joins octets however they come, and take() hands over all of them", async () => {
  const { stream, peek, deadlines } = start();
  assert.equal(stream.reading, true);
  const reading = peek.read(fixed(4));
  for (const octet of [1, 2, 3]) stream.send(octet);
  stream.send(4, 5, 6);
  assert.deepEqual(await reading, ok([1, 2, 3, 4], 4));
  assert.deepEqual([...peek.take()], [1, 2, 3, 4, 5, 6]);
  assert.equal(stream.reading, false);
  assert.equal(stream.handler, NO_HANDLER);
  assert.equal(deadlines.size, 0);
});

Deno.test("Peek keeps a copy of what it is given, whose memory is read into again", async () => {
  const { stream, peek } = start();
  const memory = Uint8Array.of(1, 2);
  stream.sendBytes(memory);
  memory.fill(255);
  assert.deepEqual(await peek.read(fixed(2)), ok([1, 2], 2));
  peek.close();
});

Deno.test("Peek.consume() drops a header and keeps what came with it", async () => {
  const { stream, peek } = start();
  stream.send(1, 2, 3);
  assert.equal((await peek.read(fixed(2))).kind, "ok");
  peek.consume(2);
  const reading = peek.read(fixed(3));
  stream.send(4, 5);
  assert.deepEqual(await reading, ok([3, 4, 5], 3));
  assert.deepEqual([...peek.take()], [3, 4, 5]);
});

Deno.test("Peek.read() answers invalid at the octet that is wrong", async () => {
  const { stream, peek } = start();
  const reading = peek.read(fixed(100));
  stream.send(1);
  stream.send(255);
  assert.equal((await reading).kind, "invalid");
  peek.close();
});

Deno.test("Peek.read() answers timeout although octets keep coming", async () => {
  const { stream, clock, peek } = start();
  const reading = peek.read(fixed(100));
  for (let i = 0; i < 6; i++) {
    stream.send(1);
    clock.advance(1000);
  }
  assert.equal((await reading).kind, "timeout");
  peek.close();
});

Deno.test("Peek.read() answers closed at a FIN or a lost connection, but what is whole counts", async () => {
  const lost = new StreamError("ECONNRESET", "read ECONNRESET");
  for (const event of ["end", "loss"]) {
    const { stream, peek } = start();
    const reading = peek.read(fixed(2));
    stream.send(1);
    if (event === "end") stream.sendEnd();
    else stream.handler.onReadError(lost);
    assert.equal((await reading).kind, "closed");
    peek.close();
  }
  const { stream, peek } = start();
  stream.send(1, 2);
  stream.sendEnd();
  assert.equal((await peek.read(fixed(2))).kind, "ok");
  assert.equal((await peek.read(fixed(3))).kind, "closed");
  peek.close();
});

Deno.test("Peek.read() rejects when its parser throws, at once or later", async () => {
  const { stream, peek } = start();
  const reading = peek.read((bytes) => {
    if (bytes.length > 1) throw new Error("a defect");
    return NEED;
  });
  stream.send(1);
  stream.send(2);
  await assert.rejects(reading, /a defect/);
  await assert.rejects(
    peek.read(() => {
      throw new Error("another");
    }),
    /another/,
  );
  peek.close();
});
