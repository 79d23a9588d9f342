import assert from "node:assert/strict";
import { Cursor } from "../../../lib/wire/mod.ts";

Deno.test("Cursor reads integers in network order and stops at its end", () => {
  const cursor = new Cursor(Uint8Array.of(1, 2, 3, 4, 5, 6, 0xff, 0xfe, 0xfd, 0xfc));
  assert.equal(cursor.u8(), 1);
  assert.equal(cursor.u16(), 0x0203);
  assert.equal(cursor.u24(), 0x040506);
  assert.equal(cursor.u32(), 0xfffefdfc);
  assert.equal(cursor.remaining, 0);
  for (const read of ["u8", "u16", "u24", "u32"] as const) assert.equal(cursor[read](), undefined);
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
