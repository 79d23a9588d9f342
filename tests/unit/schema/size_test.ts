import assert from "node:assert/strict";
import {
  columnType,
  formatSize,
  fromColumn,
  fromJson,
  parseSize,
  size,
  toColumn,
  toJson,
} from "../../../lib/schema/mod.ts";

Deno.test("parseSize() takes a whole number with one unit, and nothing else", () => {
  const taken = {
    "0B": 0,
    "1B": 1,
    "512B": 512,
    "64KiB": 65_536,
    "3MiB": 3 << 20,
    "2GiB": 2 ** 31,
  };
  for (const [text, octets] of Object.entries(taken)) assert.equal(parseSize(text), octets);
  const others = ["", "64", "64K", "64kB", "64KB", "64 KiB", "01KiB", "1.5MiB", "-1B", "1KiB1B"];
  for (const text of others) assert.equal(parseSize(text), undefined, text);
});

Deno.test("formatSize() writes what parseSize() reads, in the largest whole unit", () => {
  for (const octets of [0, 1, 1023, 1024, 1025, 65_536, 1 << 20, (1 << 20) + 1024, 1 << 30]) {
    assert.equal(parseSize(formatSize(octets)), octets);
  }
  assert.deepEqual([1536, 1 << 20].map(formatSize), ["1536B", "1MiB"]);
});

Deno.test("a size is a number in columns and a text in JSON", () => {
  const kind = size({ min: 1, max: 1 << 20 });
  const it = { key: "it", kind, default: 1, doc: "" };
  assert.equal(columnType(it), "INTEGER");
  assert.equal(fromColumn(it, toColumn(it, 65_536)), 65_536);
  assert.equal(toJson(kind, 65_536), "64KiB");
  assert.equal(fromJson(kind, "64KiB"), 65_536);
  assert.equal(fromJson(kind, 65_536), undefined);
});
