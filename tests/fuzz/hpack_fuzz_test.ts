import assert from "node:assert/strict";
import { DEFAULT_TABLE_SIZE, HpackDecoder, HpackEncoder } from "../../lib/h2/mod.ts";
import { huffmanDecode, huffmanEncode, maxDecodedLength } from "../../lib/h2/huffman.ts";
import { fuzzTest, mutate } from "../support/fuzz.ts";
import { testTarget } from "../support/fuzz_target.ts";
import { encodeBlock } from "../support/hpack.ts";
import { HPACK, randomFields } from "./targets/hpack.ts";

const ROUNDS = 3000;

testTarget(HPACK);

fuzzTest("HpackDecoder gives back what HpackEncoder was given, over table changes", (random) => {
  const encoder = new HpackEncoder();
  const decoder = new HpackDecoder();
  for (let round = 0; round < ROUNDS; round++) {
    if (random.below(20) === 0) {
      const size = random.pick([0, 31, 64, 500, 4096, 1 << 20]);
      encoder.setTableLimit(size);
    }
    const fields = randomFields(random);
    const decoded: string[] = [];
    const block = encodeBlock(encoder, fields);
    assert(decoder.decode(block, { field: (name, value) => decoded.push(name, value) }));
    assert.deepEqual(decoded, fields);
    assert.equal(decoder.tableSize, encoder.tableSize);
  }
});

fuzzTest(
  "HpackDecoder never throws, never leaves its table size, whatever the octets",
  (random) => {
    let encoder = new HpackEncoder();
    let decoder = new HpackDecoder();
    for (let round = 0; round < ROUNDS; round++) {
      const block = random.below(4) === 0
        ? random.bytes(random.below(100))
        : mutate(encodeBlock(encoder, randomFields(random)), random);
      let octets = 0;
      const done = decoder.decode(block, {
        field: (name, value) => octets += name.length + value.length,
      });
      assert(decoder.tableSize <= DEFAULT_TABLE_SIZE);
      // No octet of a block yields more than one table entry or one Huffman expansion.
      assert(octets <= block.length * DEFAULT_TABLE_SIZE);
      if (done) continue;
      assert.notEqual(decoder.failure, "");
      encoder = new HpackEncoder();
      decoder = new HpackDecoder();
    }
  },
);

fuzzTest(
  "HpackDecoder needs the whole of a block: no proper prefix ends inside a field",
  (random) => {
    for (let round = 0; round < 60; round++) {
      const fields = randomFields(random);
      const block = encodeBlock(new HpackEncoder(), fields);
      for (let cut = 0; cut < block.length; cut++) {
        const decoded: string[] = [];
        const sink = { field: (name: string, value: string) => decoded.push(name, value) };
        const done = new HpackDecoder().decode(block.subarray(0, cut), sink);
        assert.deepEqual(decoded, fields.slice(0, decoded.length));
        if (done) assert(decoded.length < fields.length);
      }
    }
  },
);

fuzzTest("huffmanDecode() takes only what huffmanEncode() makes", (random) => {
  for (let round = 0; round < ROUNDS * 10; round++) {
    const bytes = random.bytes(1 + random.below(20));
    const decoded = new Uint8Array(maxDecodedLength(bytes.length));
    const length = huffmanDecode(bytes, 0, bytes.length, decoded);
    if (length < 0) continue;
    const again = new Uint8Array(bytes.length + 8);
    const end = huffmanEncode(String.fromCharCode(...decoded.subarray(0, length)), again, 0);
    assert.deepEqual(again.subarray(0, end), bytes);
  }
});
