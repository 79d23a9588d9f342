import assert from "node:assert/strict";
import { Cursor, u16, u32 } from "../../../lib/wire/mod.ts";

Deno.test.each([[0, "0000"], [1, "0001"], [0x0102, "0102"], [0xfffe, "fffe"]])(
  "u16() writes %i as %s, and Cursor reads it back",
  (value, hex) => {
    assert.equal(u16(value).toHex(), hex);
    assert.equal(new Cursor(u16(value)).u16(), value);
  },
);

Deno.test.each([[0, "00000000"], [1, "00000001"], [0x01020304, "01020304"], [
  0xfffefdfc,
  "fffefdfc",
]])("u32() writes %i as %s, and Cursor reads it back", (value, hex) => {
  assert.equal(u32(value).toHex(), hex);
  assert.equal(new Cursor(u32(value)).u32(), value);
});
