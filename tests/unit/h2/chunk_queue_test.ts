import assert from "node:assert/strict";
import { ChunkQueue } from "../../../lib/h2/mod.ts";
import { createRandom, fuzzTest } from "../../support/fuzz.ts";

/** Takes everything in pieces of `size`. */
function takeAll(queue: ChunkQueue, size: number): number[] {
  const taken: number[] = [];
  while (queue.octets > 0) {
    const target = new Uint8Array(Math.min(size, queue.octets) + 2);
    queue.take(target, 1, target.length - 2);
    assert.deepEqual([target[0], target.at(-1)], [0, 0], "nothing is written beside it");
    taken.push(...target.subarray(1, -1));
  }
  return taken;
}

fuzzTest("ChunkQueue gives back what it was given, however it is cut", (random) => {
  const queue = new ChunkQueue();
  const given: number[] = [];
  const taken: number[] = [];
  for (let i = 0; i < 300; i++) {
    const length = random.below(4) === 0 ? random.below(5000) : random.below(40);
    const bytes = Uint8Array.from({ length }, () => random.below(255) + 1);
    given.push(...bytes);
    queue.push(bytes);
    if (random.below(3) > 0) continue;
    const target = new Uint8Array(random.below(queue.octets + 1));
    queue.take(target, 0, target.length);
    taken.push(...target);
    assert.equal(queue.octets, given.length - taken.length);
  }
  taken.push(...queue.drain().flatMap((chunk) => [...chunk]));
  assert.equal(queue.octets, 0);
  assert.deepEqual(taken, given);
});

Deno.test("ChunkQueue keeps single octets for about what they are", () => {
  const queue = new ChunkQueue();
  for (let i = 0; i < 65_536; i++) queue.push(Uint8Array.of(i & 255));
  assert(queue.cost < 65_536 * 1.1, `${queue.cost} octets`);
  const chunks = queue.drain();
  assert(chunks.length < 40, `${chunks.length} chunks`);
  assert.equal(queue.cost, 0);
});

Deno.test("ChunkQueue does not keep a whole read for a few octets of it", () => {
  const read = createRandom(1).bytes(65_536);
  for (const length of [1, 100, 1024, 16_383]) {
    const queue = new ChunkQueue();
    queue.push(read.subarray(7, 7 + length));
    const [kept] = queue.drain();
    assert.deepEqual(kept, read.slice(7, 7 + length));
    assert(kept !== undefined && kept.buffer.byteLength <= 4 * length);
  }
  const queue = new ChunkQueue();
  queue.push(read.subarray(0, 16_384));
  assert.equal(queue.drain()[0]?.buffer, read.buffer, "a large part of it is not copied");
});

Deno.test("ChunkQueue.take() in any size goes through gathered and whole chunks", () => {
  for (const size of [1, 7, 1000, 5000]) {
    const queue = new ChunkQueue();
    const given: number[] = [];
    for (const length of [1, 2, 3000, 1, 1, 1500, 600, 600, 600, 600]) {
      const bytes = new Uint8Array(length).fill(given.length % 250 + 1);
      given.push(...bytes);
      queue.push(bytes);
    }
    assert.deepEqual(takeAll(queue, size), given);
  }
});

/** Octets that tell which they are, in memory of their own. */
const numbered = (from: number, length: number) =>
  Uint8Array.from({ length }, (_, i) => (from + i) % 251);

Deno.test.each([
  // Large pieces by themselves; small ones behind another in one array of 2,048 octets.
  [[2000], 1],
  [[10], 1],
  [[2000, 1024], 2],
  [[2000, 1024, 1024], 3],
  [[2000, 1023, 1], 2],
  [[2000, 1000, 1000, 48], 2],
  [[2000, 1000, 1000, 49], 3],
  [[10, 10], 2],
  [[10, 10, 10], 2],
  [[2000, 10, 2000, 10], 4],
  [[0, 2000, 0], 1],
])("ChunkQueue of pieces of %j octets keeps %i chunks", (sizes, chunks) => {
  const queue = new ChunkQueue();
  let octets = 0;
  for (const size of sizes) {
    queue.push(numbered(octets, size));
    octets += size;
  }
  assert.deepEqual([queue.octets, queue.cost], [octets, octets + 128 * chunks]);
  const taken = new Uint8Array(octets + 1);
  queue.take(taken, 1, octets);
  assert.deepEqual(taken.subarray(1), numbered(0, octets));
  assert.deepEqual([queue.octets, queue.cost], [0, 0]);
});

Deno.test("ChunkQueue.take() goes on in the middle of a chunk, and clear() forgets where", () => {
  const queue = new ChunkQueue();
  queue.push(numbered(0, 1500));
  queue.push(numbered(1500, 1500));
  const target = new Uint8Array(3000);
  queue.take(target, 0, 700);
  queue.take(target, 700, 1000);
  queue.push(numbered(3000, 10));
  assert.equal(queue.cost, 1310 + 256);
  assert.deepEqual(queue.drain().map(({ length }) => length), [1300, 10]);
  assert.deepEqual(target.subarray(0, 1700), numbered(0, 1700));
  assert.deepEqual(queue.drain(), []);

  queue.push(numbered(0, 1500));
  queue.take(target, 0, 700);
  queue.clear();
  queue.push(numbered(5, 1500));
  queue.take(target, 0, 1500);
  assert.deepEqual(target.subarray(0, 1500), numbered(5, 1500));
  assert.equal(queue.octets, 0);
});

Deno.test("ChunkQueue goes on gathering behind chunks that were taken", () => {
  const queue = new ChunkQueue();
  queue.push(numbered(0, 1500));
  queue.push(numbered(1500, 10));
  queue.take(new Uint8Array(1500), 0, 1500);
  queue.push(numbered(1510, 10));
  assert.equal(queue.cost, 20 + 128);
  const rest = new Uint8Array(20);
  queue.take(rest, 0, 20);
  assert.deepEqual(rest, numbered(1500, 20));
});

Deno.test("ChunkQueue copies a piece that keeps five times its octets alive, not one of four", () => {
  const read = new Uint8Array(8192).fill(1);
  const [kept, copied] = [read.subarray(0, 2048), read.subarray(0, 2047)];
  const queue = new ChunkQueue();
  queue.push(kept);
  queue.push(copied);
  const [first, second] = queue.drain();
  assert.equal(first?.buffer, read.buffer);
  assert.equal(second?.buffer.byteLength, 2047);
});
