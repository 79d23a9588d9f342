import assert from "node:assert/strict";
import { Pressure } from "../../../lib/observe/mod.ts";

Deno.test("Pressure refuses the share that it is set to, and never everybody", () => {
  const buffer = new SharedArrayBuffer(Pressure.BYTES);
  const writer = new Pressure(buffer);
  const reader = new Pressure(buffer);
  const refused = () =>
    Array.from({ length: 1000 }, (_, i) => i / 1000).filter((chance) => reader.refuses(chance))
      .length;
  assert.equal(refused(), 0);
  writer.share = 0.5;
  assert.equal(refused(), 500);
  writer.share = -3;
  assert.equal(refused(), 0);
  assert.equal(reader.refuses(0), false);
  for (const share of [1, 40]) {
    writer.share = share;
    assert.equal(reader.share, 960 / 1024);
    assert.equal(refused(), 938);
    assert.equal(reader.refuses(0.99), false);
  }
});
