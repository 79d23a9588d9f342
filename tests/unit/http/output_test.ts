import assert from "node:assert/strict";
import { Output, OutputPool } from "../../../lib/http/mod.ts";

/** Four full DATA frames. */
const SLAB = 4 * (16384 + 9);

/** Writes so many octets of a value. */
function write(output: Output, count: number, value: number): void {
  const slab = output.reserve(count);
  assert(slab.bytes.length - slab.used >= count, "there is the room that was asked for");
  slab.bytes.fill(value, slab.used, slab.used + count);
  slab.used += count;
}

/** What is taken, as lengths and the value that each piece holds throughout. */
function taken(output: Output): (readonly [length: number, value: number | undefined])[] {
  return output.take().map((piece) => {
    assert(piece.every((octet) => octet === piece[0]));
    return [piece.length, piece[0]];
  });
}

Deno.test("Output hands over what was written and pushed, in order and once", () => {
  const output = new Output(new OutputPool());
  assert.equal(output.size, 0);
  assert.deepEqual(output.take(), []);
  write(output, 3, 1);
  assert.equal(output.size, 3);
  output.push(new Uint8Array(5).fill(2));
  assert.equal(output.size, 8);
  write(output, 2, 3);
  assert.equal(output.size, 10);
  assert.deepEqual(taken(output), [[3, 1], [5, 2], [2, 3]]);
  assert.equal(output.size, 0);
  assert.deepEqual(output.take(), []);
});

Deno.test("Output writes on in a slab while there is room, to its last octet", () => {
  const output = new Output(new OutputPool());
  write(output, 10, 1);
  write(output, SLAB - 10, 1);
  assert.deepEqual(taken(output), [[SLAB, 1]]);
  write(output, SLAB - 10, 2);
  write(output, 11, 3);
  assert.deepEqual(taken(output), [[SLAB - 10, 2], [11, 3]]);
});

Deno.test("Output hands over nothing of a slab in which nothing was written", () => {
  const output = new Output(new OutputPool());
  output.reserve(100);
  assert.equal(output.size, 0);
  assert.deepEqual(output.take(), []);
});

Deno.test("OutputPool makes a slab as large as is asked for, and no smaller than usual", () => {
  const pool = new OutputPool();
  assert.equal(pool.acquire(1).bytes.length, SLAB);
  assert.equal(pool.acquire(SLAB).bytes.length, SLAB);
  const large = pool.acquire(SLAB + 1);
  assert.deepEqual([large.bytes.length, large.used], [SLAB + 1, 0]);
});

Deno.test("OutputPool lends the rest of a slab while it is worth it, and to nobody else meanwhile", () => {
  const pool = new OutputPool();
  const slab = pool.acquire(1);
  slab.used = SLAB - 4096;
  pool.release(slab);
  assert.notEqual(pool.acquire(4097), slab, "that is more than it has");
  assert.equal(pool.acquire(4096), slab);
  assert.notEqual(pool.acquire(1), slab);
  slab.used = SLAB - 4095;
  pool.release(slab);
  assert.notEqual(pool.acquire(1), slab);
});

Deno.test("OutputPool keeps 16 slabs", () => {
  const pool = new OutputPool();
  const slabs = Array.from({ length: 17 }, () => pool.acquire(1));
  for (const slab of slabs) pool.release(slab);
  const again = new Set(Array.from({ length: 17 }, () => pool.acquire(1)));
  assert.equal(slabs.filter((slab) => again.has(slab)).length, 16);
});

Deno.test("two outputs over one pool share a slab, and neither writes where the other did", () => {
  const pool = new OutputPool();
  const [first, second] = [new Output(pool), new Output(pool)];
  write(first, 10, 1);
  const [mine] = first.take();
  write(second, 10, 2);
  second.push(new Uint8Array(1));
  assert.equal(second.size, 11);
  const [others] = second.take();
  assert.equal(mine?.buffer, others?.buffer, "the rest was given back and lent again");
  assert.deepEqual([mine?.byteOffset, others?.byteOffset], [0, 10]);
  assert.deepEqual([mine?.[9], others?.[0]], [1, 2]);
});
