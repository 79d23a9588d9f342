import assert from "node:assert/strict";
import { Cursor, invalid, NEED, ok } from "../../../lib/wire/mod.ts";

Deno.test("Cursor reads integers in network order and stops at its end", () => {
  const cursor = new Cursor(Uint8Array.of(1, 2, 3, 4, 5, 6, 0xff, 0xfe, 0xfd, 0xfc));
  assert.equal(cursor.u8(), 1);
  assert.equal(cursor.u16(), 0x0203);
  assert.deepEqual(cursor.take(3), Uint8Array.of(4, 5, 6));
  assert.equal(cursor.u32(), 0xfffefdfc);
  assert.equal(cursor.remaining, 0);
  for (const read of ["u8", "u16", "u32"] as const) assert.equal(cursor[read](), undefined);
});

Deno.test("Cursor moves nothing when a read does not fit", () => {
  const cursor = new Cursor(Uint8Array.of(9));
  assert.equal(cursor.u16(), undefined);
  assert.equal(cursor.take(2), undefined);
  assert.equal(cursor.skip(2), false);
  assert.equal(cursor.vector16(), undefined);
  assert.equal(cursor.vector8(), undefined);
  assert.equal(cursor.u8(), 9);
});

Deno.test("Cursor.vector8() and vector16() give a cursor that cannot reach its neighbours", () => {
  const cursor = new Cursor(Uint8Array.of(1, 0xaa, 0, 2, 0xbb, 0xcc, 7));
  const first = cursor.vector8();
  assert.equal(first?.u8(), 0xaa);
  assert.equal(first?.u8(), undefined);
  const second = cursor.vector16();
  assert.deepEqual(second?.take(2), Uint8Array.of(0xbb, 0xcc));
  assert.equal(second?.take(1), undefined);
  assert.equal(cursor.u8(), 7);
});

Deno.test("Cursor keeps inside the range it was given", () => {
  const cursor = new Cursor(Uint8Array.of(1, 2, 3, 4), 1, 3);
  assert.equal(cursor.u8(), 2);
  assert.equal(cursor.position, 2);
  assert.equal(cursor.u16(), undefined);
  assert.equal(cursor.skip(-1), false);
  assert.equal(cursor.take(-1), undefined);
  assert.equal(cursor.u8(), 3);
});

Deno.test.each([
  ["u16", [0x12, 0x34], 0x1234],
  ["u32", [0xf2, 0x34, 0x56, 0x78], 0xf2345678],
])(
  "Cursor.%s() takes exactly what it needs, and nothing from one octet less",
  (name, bytes, want) => {
    const read = name as "u16" | "u32";
    const whole = new Cursor(Uint8Array.from(bytes));
    assert.equal(whole[read](), want);
    assert.equal(whole.remaining, 0);
    const short = new Cursor(Uint8Array.from(bytes).subarray(1));
    assert.equal(short[read](), undefined);
    assert.equal(short.position, 0);
    const later = new Cursor(Uint8Array.of(9, 9, ...bytes), 2);
    assert.equal(later[read](), want);
  },
);

Deno.test("Cursor.take() and skip() go up to the end, and nothing is a length too", () => {
  const cursor = new Cursor(Uint8Array.of(1, 2));
  assert.deepEqual(cursor.take(0), Uint8Array.of());
  assert.equal(cursor.skip(0), true);
  assert.deepEqual(cursor.take(2), Uint8Array.of(1, 2));
  assert.equal(new Cursor(Uint8Array.of(1, 2)).skip(2), true);
  assert.equal(new Cursor(Uint8Array.of(1, 2)).skip(3), false);
});

Deno.test("Cursor.vector8() and vector16() may be empty, end with the octets, and not lie", () => {
  assert.equal(new Cursor(Uint8Array.of(0)).vector8()?.remaining, 0);
  assert.equal(new Cursor(Uint8Array.of(0, 0)).vector16()?.remaining, 0);
  const long = new Uint8Array(2 + 0x0102).fill(7);
  long.set([1, 2]);
  const cursor = new Cursor(long);
  assert.equal(cursor.vector16()?.remaining, 0x0102);
  assert.equal(cursor.remaining, 0);
  assert.equal(new Cursor(long.subarray(1)).vector16(), undefined);
  assert.equal(new Cursor(Uint8Array.of(2, 1)).vector8(), undefined);
  assert.equal(new Cursor(Uint8Array.of(1, 2)).vector8()?.u8(), 2);
});

Deno.test("Cursor never reads past the array, whatever end it is told", () => {
  const cursor = new Cursor(Uint8Array.of(1, 2), 0, 9);
  assert.equal(cursor.remaining, 2);
});

Deno.test("ok(), invalid() and NEED are told apart by their kind", () => {
  assert.deepEqual(ok("x", 3), { kind: "ok", value: "x", size: 3 });
  assert.deepEqual(invalid("why"), { kind: "invalid", reason: "why" });
  assert.equal(NEED.kind, "need");
});

Deno.test.each([["vector8", [2, 1]], ["vector16", [0, 2, 1]], ["vector16", [0]]] as const)(
  "Cursor.%s() of %j moves nothing when the vector is cut",
  (read, bytes) => {
    const cursor = new Cursor(Uint8Array.from([9, ...bytes]), 1);
    assert.equal(cursor[read](), undefined);
    assert.equal(cursor.position, 1);
    assert.equal(cursor.remaining, bytes.length);
  },
);

Deno.test("Cursor.vector8() and vector16() stay inside the range they were given", () => {
  const bytes = Uint8Array.of(9, 1, 7, 0, 1, 8, 9);
  const cursor = new Cursor(bytes, 1, 6);
  const first = cursor.vector8();
  assert.deepEqual([first?.position, first?.remaining, first?.u8()], [2, 1, 7]);
  const second = cursor.vector16();
  assert.deepEqual([second?.position, second?.remaining, second?.u8()], [5, 1, 8]);
  assert.equal(new Cursor(bytes, 1, 2).vector8(), undefined);
  assert.equal(new Cursor(bytes, 3, 4).vector16(), undefined);
});
