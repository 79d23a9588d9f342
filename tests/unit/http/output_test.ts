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
  write(output, 1, 1);
  assert.deepEqual(taken(output), [[1, 1]]);
});

Deno.test("Output writes to a slab as large as is asked for, and no smaller than usual", () => {
  const output = new Output(new OutputPool());
  assert.equal(output.reserve(1).bytes.length, SLAB);
  assert.equal(new Output(new OutputPool()).reserve(SLAB).bytes.length, SLAB);
  const large = output.reserve(SLAB + 1);
  assert.deepEqual([large.bytes.length, large.used], [SLAB + 1, 0]);
});

Deno.test("OutputPool lets sessions write one behind the other into one slab", () => {
  const pool = new OutputPool();
  const [first, second] = [new Output(pool), new Output(pool)];
  write(first, 3, 1);
  write(second, 4, 2);
  write(first, 5, 3);
  write(first, 6, 3);
  write(second, 7, 4);
  assert.deepEqual([first.size, second.size], [14, 11]);
  const pieces = [...first.take(), ...second.take()];
  assert.deepEqual(
    pieces.map((piece) => [piece.length, piece[0], piece.at(-1)]),
    [[3, 1, 1], [11, 3, 3], [4, 2, 2], [7, 4, 4]],
  );
  assert.equal(new Set(pieces.map(({ buffer }) => buffer)).size, 1);
});

Deno.test("OutputPool gives the last octet of a slab to whoever asks for just that much", () => {
  const pool = new OutputPool();
  const [first, second] = [new Output(pool), new Output(pool)];
  write(first, SLAB - 10, 1);
  write(second, 10, 2);
  const [one, other] = [first.take(), second.take()];
  assert.equal(one[0]?.buffer, other[0]?.buffer);
  write(second, 1, 3);
  assert.notEqual(second.take()[0]?.buffer, one[0]?.buffer);
});

Deno.test("OutputPool never has octets written again that were handed out", () => {
  const pool = new OutputPool();
  const outputs = Array.from({ length: 5 }, () => new Output(pool));
  const all: Uint8Array[] = [];
  const sizes = new Map(outputs.map((output) => [output, 0]));
  for (let i = 0; i < 2000; i++) {
    const output = outputs[(i * 7) % 5] as Output;
    write(output, 1 + (i * 37) % 300, i & 255);
    sizes.set(output, (sizes.get(output) ?? 0) + 1 + (i * 37) % 300);
    assert.equal(output.size, sizes.get(output));
    if (i % 11 === 0) {
      all.push(...output.take());
      sizes.set(output, 0);
    }
  }
  const seen = all.map((piece) => piece.slice());
  for (const output of outputs) write(output, 5000, 0);
  assert.deepEqual(all, seen);
});
