import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import type { Socket } from "node:net";
import type { Clock } from "../../../lib/relay/mod.ts";
import { Deadlines } from "../../../lib/relay/mod.ts";
import { Preface } from "../../../lib/server/preface.ts";
import { type Decoded, invalid, NEED, ok } from "../../../lib/wire/mod.ts";

/** As much of a socket as {@link Preface} uses. */
class FakeSocket extends EventEmitter {
  paused = true;
  pause = () => void (this.paused = true);
  resume = () => void (this.paused = false);
  send = (...octets: number[]) => this.emit("data", Uint8Array.from(octets));
}

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
  const socket = new FakeSocket();
  const clock = new OneStepClock();
  const deadlines = new Deadlines(5000, clock);
  const preface = new Preface(socket as unknown as Socket, deadlines);
  return { socket, clock, deadlines, preface };
}

/** `length` octets; none of them may be 255. */
function fixed(length: number) {
  return (bytes: Uint8Array): Decoded<number[]> => {
    if (bytes.includes(255)) return invalid("an octet is 255");
    return bytes.length < length ? NEED : ok([...bytes.subarray(0, length)], length);
  };
}

Deno.test("Preface.read() joins octets however they come, and take() hands over all of them", async () => {
  const { socket, preface, deadlines } = start();
  assert.equal(socket.paused, false);
  const reading = preface.read(fixed(4));
  for (const octet of [1, 2, 3]) socket.send(octet);
  socket.send(4, 5, 6);
  assert.deepEqual(await reading, ok([1, 2, 3, 4], 4));
  assert.deepEqual([...preface.take()], [1, 2, 3, 4, 5, 6]);
  assert.equal(socket.paused, true);
  assert.equal(socket.listenerCount("data"), 0);
  assert.equal(deadlines.size, 0);
});

Deno.test("Preface.consume() drops a header and keeps what came with it", async () => {
  const { socket, preface } = start();
  socket.send(1, 2, 3);
  assert.equal((await preface.read(fixed(2))).kind, "ok");
  preface.consume(2);
  const reading = preface.read(fixed(3));
  socket.send(4, 5);
  assert.deepEqual(await reading, ok([3, 4, 5], 3));
  assert.deepEqual([...preface.take()], [3, 4, 5]);
});

Deno.test("Preface.read() answers invalid at the octet that is wrong", async () => {
  const { socket, preface } = start();
  const reading = preface.read(fixed(100));
  socket.send(1);
  socket.send(255);
  assert.equal((await reading).kind, "invalid");
  preface.close();
});

Deno.test("Preface.read() answers timeout although octets keep coming", async () => {
  const { socket, clock, preface } = start();
  const reading = preface.read(fixed(100));
  for (let i = 0; i < 6; i++) {
    socket.send(1);
    clock.advance(1000);
  }
  assert.equal((await reading).kind, "timeout");
  preface.close();
});

Deno.test("Preface.read() answers closed at a FIN or a lost connection, but what is whole counts", async () => {
  for (const event of ["end", "close"]) {
    const { socket, preface } = start();
    const reading = preface.read(fixed(2));
    socket.send(1);
    socket.emit(event);
    assert.equal((await reading).kind, "closed");
    preface.close();
  }
  const { socket, preface } = start();
  socket.send(1, 2);
  socket.emit("end");
  assert.equal((await preface.read(fixed(2))).kind, "ok");
  assert.equal((await preface.read(fixed(3))).kind, "closed");
  preface.close();
});
