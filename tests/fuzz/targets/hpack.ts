import assert from "node:assert/strict";
import { DEFAULT_TABLE_SIZE, HpackDecoder, HpackEncoder } from "../../../lib/h2/mod.ts";
import type { Random } from "../../support/fuzz.ts";
import type { FuzzTarget } from "../../support/fuzz_target.ts";
import { encodeBlock } from "../../support/hpack.ts";

const NAMES = [":path", ":status", "cookie", "date", "x-a", "x-b", "content-type", "authorization"];

/** Fields in the order of the wire, names and values in turn. */
export function randomFields(random: Random): string[] {
  const text = (limit: number) => String.fromCharCode(...random.bytes(random.below(limit)));
  const fields: string[] = [];
  for (let i = random.below(8); i >= 0; i--) {
    const name = random.below(4) === 0 ? text(40) : random.pick(NAMES);
    const value = random.below(3) === 0 ? text(600) : String(random.below(5));
    fields.push(name, value);
  }
  return fields;
}

/** What a new decoder makes of a block. */
function decode(block: Uint8Array): { fields: string[]; done: boolean; decoder: HpackDecoder } {
  const decoder = new HpackDecoder();
  const fields: string[] = [];
  const done = decoder.decode(block, { field: (name, value) => fields.push(name, value) });
  return { fields, done, decoder };
}

/** Header blocks (RFC 7541). */
export const HPACK: FuzzTarget = {
  name: "hpack",
  rounds: 3000,
  make: (random) =>
    random.below(4) === 0
      ? random.bytes(random.below(100))
      : encodeBlock(new HpackEncoder(), randomFields(random)),
  check(block, random) {
    const { fields, done, decoder } = decode(block);
    assert(decoder.tableSize <= DEFAULT_TABLE_SIZE);
    // No octet of a block yields more than one table entry or one Huffman expansion.
    assert(fields.join("").length <= block.length * DEFAULT_TABLE_SIZE);
    assert.equal(done, decoder.failure === "");
    const beginning = decode(block.subarray(0, random.below(block.length + 1)));
    assert.deepEqual(beginning.fields, fields.slice(0, beginning.fields.length));
    if (!done) return;
    // What was understood can be said again, whatever way it was said.
    const again = decode(encodeBlock(new HpackEncoder(), fields));
    assert.deepEqual(again.fields, fields);
    assert(again.done);
  },
};
