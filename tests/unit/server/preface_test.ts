import assert from "node:assert/strict";
import type { Clock } from "../../../lib/relay/mod.ts";
import { Deadlines } from "../../../lib/relay/mod.ts";
import { Preface } from "../../../lib/server/preface.ts";
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
  const preface = new Preface(stream, deadlines);
  return { stream, clock, deadlines, preface };
}

/** `length` octets; none of them may be 255. */
function fixed(length: number) {
  return (bytes: Uint8Array): Decoded<number[]> => {
    if (bytes.includes(255)) return invalid("an octet is 255");
    return bytes.length < length ? NEED : ok([...bytes.subarray(0, length)], length);
  };
}

Deno.test("Preface.read() joins octets however they come, and take() hands over all of them", async () => {
  const { stream, preface, deadlines } = start();
  assert.equal(stream.reading, true);
  const reading = preface.read(fixed(4));
  for (const octet of [1, 2, 3]) stream.send(octet);
  stream.send(4, 5, 6);
  assert.deepEqual(await reading, ok([1, 2, 3, 4], 4));
  assert.deepEqual([...preface.take()], [1, 2, 3, 4, 5, 6]);
  assert.equal(stream.reading, false);
  assert.equal(stream.handler, NO_HANDLER);
  assert.equal(deadlines.size, 0);
});

Deno.test("Preface keeps a copy of what it is given, whose memory is read into again", async () => {
  const { stream, preface } = start();
  const memory = Uint8Array.of(1, 2);
  stream.sendBytes(memory);
  memory.fill(255);
  assert.deepEqual(await preface.read(fixed(2)), ok([1, 2], 2));
  preface.close();
});

Deno.test("Preface.consume() drops a header and keeps what came with it", async () => {
  const { stream, preface } = start();
  stream.send(1, 2, 3);
  assert.equal((await preface.read(fixed(2))).kind, "ok");
  preface.consume(2);
  const reading = preface.read(fixed(3));
  stream.send(4, 5);
  assert.deepEqual(await reading, ok([3, 4, 5], 3));
  assert.deepEqual([...preface.take()], [3, 4, 5]);
});

Deno.test("Preface.read() answers invalid at the octet that is wrong", async () => {
  const { stream, preface } = start();
  const reading = preface.read(fixed(100));
  stream.send(1);
  stream.send(255);
  assert.equal((await reading).kind, "invalid");
  preface.close();
});

Deno.test("Preface.read() answers timeout although octets keep coming", async () => {
  const { stream, clock, preface } = start();
  const reading = preface.read(fixed(100));
  for (let i = 0; i < 6; i++) {
    stream.send(1);
    clock.advance(1000);
  }
  assert.equal((await reading).kind, "timeout");
  preface.close();
});

Deno.test("Preface.read() answers closed at a FIN or a lost connection, but what is whole counts", async () => {
  const lost = new StreamError("ECONNRESET", "read ECONNRESET");
  for (const event of ["end", "loss"]) {
    const { stream, preface } = start();
    const reading = preface.read(fixed(2));
    stream.send(1);
    if (event === "end") stream.sendEnd();
    else stream.handler.onReadError(lost);
    assert.equal((await reading).kind, "closed");
    preface.close();
  }
  const { stream, preface } = start();
  stream.send(1, 2);
  stream.sendEnd();
  assert.equal((await preface.read(fixed(2))).kind, "ok");
  assert.equal((await preface.read(fixed(3))).kind, "closed");
  preface.close();
});
