import assert from "node:assert/strict";
import { HpackDecoder, HpackEncoder } from "../../../lib/h2/mod.ts";
import { BAD_VALUE, NEVER_INDEXED } from "../../../lib/h2/field_names.ts";
import { DecoderTable } from "../../../lib/h2/hpack_table.ts";
import {
  huffmanDecode,
  huffmanEncode,
  huffmanLength,
  maxDecodedLength,
} from "../../../lib/h2/huffman.ts";

/** Not shorter in Huffman's code, so that an octet takes an octet. */
const WIDE = "\xff";

/** One field after the other through one encoder; the octets of each. */
function encoded(fields: [string, string, boolean?][], encoder = new HpackEncoder()): string[] {
  return fields.map(([name, value, never]) => {
    const target = new Uint8Array(name.length + value.length + 64);
    return target.subarray(0, encoder.field(name, value, target, 0, never)).toHex();
  });
}

Deno.test.each([
  // RFC 7541 §6: indexed; never indexed; not indexed; with incremental indexing.
  [":method", "GET", false, "82"],
  ["authorization", WIDE, false, "1f0801ff"],
  ["cookie", WIDE, false, "1f1101ff"],
  ["x", WIDE, true, "10017801ff"],
  ["server", WIDE, true, "1f2701ff"],
  [":path", `/${WIDE}`, false, "04022fff"],
  ["etag", WIDE, false, "0f1301ff"],
  ["x", WIDE, false, "40017801ff"],
  ["server", WIDE, false, "7601ff"],
  ["x", "www.example.com", false, "4001788cf1e3c2e5f23a6ba0ab90f4ff"],
  ["x", "", false, "40017800"],
] as [string, string, boolean, string][])(
  "HpackEncoder writes %s: %j (never indexed: %j) as %s",
  (name, value, never, want) => {
    assert.deepEqual(encoded([[name, value, never]]), [want]);
  },
);

Deno.test("HpackEncoder indexes no value that differs in each message, nor takes its name from the table", () => {
  const encoder = new HpackEncoder();
  const [first, second] = encoded([["x-request-id", WIDE], ["x-request-id", WIDE]], encoder);
  assert.equal(first, second);
  // Pattern 0000, no index, the name in Huffman's code, one octet of value.
  assert.match(first ?? "", /^008[0-9a-f]([0-9a-f]{2})+01ff$/);
  assert.equal(encoder.tableSize, 0);
});

Deno.test("HpackEncoder names a field by its static index, then by its newest entry", () => {
  assert.deepEqual(encoded([["server", WIDE], ["server", "\xfe"], ["server", "\xfe"]]), [
    "7601ff",
    "7601fe",
    "be",
  ]);
  assert.deepEqual(
    encoded([["x", WIDE], ["y", WIDE], ["x", "\xfe"], ["x", "\xfd", true], ["x", WIDE]]),
    ["40017801ff", "40017901ff", "7f0001fe", "10017801fd", "c0"],
  );
  assert.deepEqual(encoded([[":authority", WIDE], [":authority", "\xfe"]]), ["4101ff", "4101fe"]);
});

Deno.test("HpackEncoder looks at the last six values of a name", () => {
  const values = ["1", "2", "3", "4", "5", "6", "7", "8"];
  const after = (value: string) => {
    const encoder = new HpackEncoder();
    encoded(values.map((it) => ["x", it]), encoder);
    return encoded([["x", value]], encoder)[0]?.length;
  };
  assert.deepEqual(values.map(after).map((length) => length === 2), [
    false,
    false,
    ...Array(6).fill(true),
  ]);
});

Deno.test("HpackEncoder keeps out of the table what would fill more than half of it", () => {
  const sizeWith = (length: number) => {
    const encoder = new HpackEncoder();
    encoded([["x", WIDE.repeat(length)]], encoder);
    return encoder.tableSize;
  };
  assert.deepEqual([2014, 2015, 2016].map(sizeWith), [2047, 2048, 0]);
});

Deno.test.each([
  [[30], "3e"],
  [[31], "3f00"],
  [[32], "3f01"],
  [[100], "3f45"],
  [[4096], ""],
  [[9999], ""],
  [[0, 4096], "203fe11f"],
  [[31, 4096], "3f003fe11f"],
  [[100, 0, 50], "203f13"],
  [[50, 50], "3f13"],
])("HpackEncoder.begin() after table limits %j writes %s", (limits, want) => {
  const encoder = new HpackEncoder();
  limits.forEach((limit) => encoder.setTableLimit(limit));
  const target = new Uint8Array(16);
  assert.equal(target.subarray(0, encoder.begin(target, 0)).toHex(), want);
  assert.equal(encoder.begin(target, 0), 0, "said once");
});

Deno.test("HpackEncoder and HpackDecoder agree on lengths and indexes around every prefix", () => {
  const encoder = new HpackEncoder();
  const decoder = new HpackDecoder();
  const carry = (name: string, value: string) => {
    const target = new Uint8Array(name.length + value.length + 64);
    const block = target.subarray(0, encoder.field(name, value, target, 0));
    const fields: string[] = [];
    assert(decoder.decode(block, { field: (...[a, b]) => fields.push(a, b) }), decoder.failure);
    assert.deepEqual(fields, [name, value]);
    assert.equal(decoder.tableSize, encoder.tableSize);
    return block.length;
  };
  // An entry of 36 octets each: 113 of them fit, with indexes up to 174.
  const names = Array.from({ length: 113 }, (_, i) => `n${i.toString(36).padStart(2, "0")}`);
  for (const name of names) carry(name, "a");
  assert.equal(encoder.tableSize, 113 * 36);
  for (const name of names) assert(carry(name, "a") <= 2, name);
  for (const name of names) carry(name, "b");
  for (const length of [126, 127, 128, 254, 255, 256, 16_510, 16_511, 16_512, 16_513]) {
    carry(":path", WIDE.repeat(length));
    carry(":path", "0".repeat(length));
  }
});

Deno.test("HpackEncoder refers to the oldest entry that is left, and to none that is gone", () => {
  const encoder = new HpackEncoder();
  encoder.setTableLimit(3 * 34);
  encoded([["a", "1"], ["b", "1"], ["c", "1"], ["d", "1"]], encoder);
  assert.deepEqual(encoded([["b", "1"], ["a", "1"]], encoder), ["c0", "4001610131"]);
  // That evicted b.
  assert.deepEqual(encoded([["c", "1"], ["b", "1"]], encoder), ["c0", "4001620131"]);
});

Deno.test("DecoderTable keeps entries in their order while it grows and goes round", () => {
  const table = new DecoderTable(4096);
  const names: string[] = [];
  for (let i = 0; i < 150; i++) {
    const name = `n${i}`;
    table.insert(name, `v${i}`, i % 7);
    names.unshift(name);
    names.length = table.count;
    const last = table.count - 1;
    for (const n of [0, 1 % table.count, last >> 1, last]) {
      assert.equal(table.name(n), names[n]);
      assert.equal(table.value(n), names[n]?.replace("n", "v"));
      assert.equal(table.tag(n), Number(names[n]?.slice(1)) % 7);
    }
  }
});

Deno.test("DecoderTable holds as much as its size says, to the octet (RFC 7541 §4.1)", () => {
  const table = new DecoderTable(100);
  assert.equal(table.maxSize, 100);
  table.insert("a", "x".repeat(17), 0);
  table.insert("b", "x".repeat(17), 0);
  assert.deepEqual([table.count, table.size], [2, 100]);
  table.insert("c", "x", 0);
  assert.deepEqual([table.count, table.size, table.name(1)], [2, 84, "b"]);
  table.resize(84);
  assert.equal(table.count, 2);
  table.resize(83);
  assert.deepEqual([table.count, table.size, table.name(0)], [1, 34, "c"]);
  table.insert("d", "x".repeat(50), 0);
  assert.deepEqual([table.count, table.size, table.name(0)], [1, 83, "d"]);
  table.insert("e", "x".repeat(51), 0);
  assert.deepEqual([table.count, table.size], [0, 0]);
});

Deno.test("HpackDecoder.setTableLimit() evicts at once, and takes updates up to the limit", () => {
  const nothing = { field: () => {} };
  const decoder = new HpackDecoder();
  decoder.decode(Uint8Array.fromHex("4001610131" + "4001620131"), nothing);
  decoder.setTableLimit(100);
  assert.equal(decoder.tableSize, 68);
  decoder.setTableLimit(50);
  assert.equal(decoder.tableSize, 34);
  decoder.setTableLimit(60);
  assert.equal(decoder.tableSize, 34);
  // 60 is 0x3f 0x1d; 61 is one too many. An update alone is a whole block.
  assert.equal(decoder.decode(Uint8Array.fromHex("3f1d"), nothing), true);
  assert.equal(decoder.decode(Uint8Array.fromHex("3f1e"), nothing), false);
});

Deno.test.each([
  ["the last of the static table", "bd", ["www-authenticate", ""]],
  ["a name from the last of the static table", "0f2e0131", ["www-authenticate", "1"]],
  ["the first of the static table", "81", [":authority", ""]],
] as [string, string, string[]][])(
  "HpackDecoder reads %s",
  (_, octets, want) => {
    const fields: string[] = [];
    const decoder = new HpackDecoder();
    const sink = { field: (name: string, value: string) => fields.push(name, value) };
    assert(decoder.decode(Uint8Array.fromHex(octets), sink), decoder.failure);
    assert.deepEqual(fields, want);
  },
);

Deno.test.each([
  // An integer may have five octets behind its prefix; this one is 127.
  ["ff8080808000", "index beyond the table"],
  ["ff808080808000", "integer too long"],
  // A name that is no Huffman code, in front of what would be an empty value.
  ["408100", "invalid Huffman code"],
])("HpackDecoder refuses %s: %s", (octets, reason) => {
  const decoder = new HpackDecoder();
  assert.equal(decoder.decode(Uint8Array.fromHex(octets), { field: () => {} }), false);
  assert.equal(decoder.failure, reason);
});

Deno.test("HpackDecoder holds nothing against a name whose last value was bad", () => {
  const tags: number[] = [];
  const decoder = new HpackDecoder();
  const sink = { field: (...[, , tag]: [string, string, number]) => tags.push(tag) };
  // x: " y", then the same name with "y", then with both never to be indexed and "y" again.
  assert(decoder.decode(Uint8Array.fromHex("4001780220797e01791f2f01790f2f0179"), sink));
  assert.deepEqual(tags, [BAD_VALUE, 0, NEVER_INDEXED, 0]);
});

Deno.test.each([
  ["the table index one past the newest", "bf", "index beyond the table"],
  ["a name index one past the oldest", "7f000131", "index beyond the table"],
])("HpackDecoder with one entry refuses %s", (_, octets, reason) => {
  const decoder = new HpackDecoder();
  assert(decoder.decode(Uint8Array.fromHex("4001610131be"), { field: () => {} }));
  assert.equal(decoder.decode(Uint8Array.fromHex(octets), { field: () => {} }), false);
  assert.equal(decoder.failure, reason);
});

Deno.test("HpackDecoder passes references to a full sink over, but checks them", () => {
  const decoder = new HpackDecoder();
  assert(decoder.decode(Uint8Array.fromHex("4001610131"), { field: () => {} }));
  const full = { full: true, field: () => assert.fail() };
  assert.equal(decoder.decode(Uint8Array.fromHex("be"), full), true);
  assert.equal(decoder.decode(Uint8Array.fromHex("bf"), full), false);
});

Deno.test.each([[0, 0], [1, 1], [4, 6], [5, 8], [10, 16], [4096, 6553]])(
  "maxDecodedLength() of %i octets is %i: no code is shorter than five bits",
  (encoded, want) => {
    assert.equal(Math.floor(maxDecodedLength(encoded)), want);
  },
);

Deno.test("huffmanEncode() and huffmanDecode() agree on every octet behind up to 7 pending bits", () => {
  const target = new Uint8Array(64).fill(0xaa);
  const decoded = new Uint8Array(64);
  for (let octet = 0; octet < 256; octet++) {
    for (const before of [0, 1, 3, 6, 7]) {
      const text = "0".repeat(before) + String.fromCharCode(octet) + "a";
      const end = huffmanEncode(text, target, 3);
      assert.equal(end - 3, huffmanLength(text));
      const length = huffmanDecode(target, 3, end, decoded);
      assert.equal(String.fromCharCode(...decoded.subarray(0, length)), text);
    }
  }
});

Deno.test("huffmanEncode() writes the octets of RFC 7541 C.4", () => {
  const target = new Uint8Array(20);
  const of = (text: string) => target.subarray(0, huffmanEncode(text, target, 0)).toHex();
  assert.equal(of("www.example.com"), "f1e3c2e5f23a6ba0ab90f4ff");
  assert.equal(of("no-cache"), "a8eb10649cbf");
  assert.equal(of(""), "");
  assert.deepEqual(["www.example.com", "no-cache", ""].map(huffmanLength), [12, 6, 0]);
});

Deno.test.each([["1f", 1], ["10", -1], ["1fff", -1], ["ffffffff", -1], ["", 0], ["07", 1]])(
  "huffmanDecode() of %s is %i octets long",
  (octets, want) => {
    const bytes = Uint8Array.fromHex(octets);
    assert.equal(huffmanDecode(bytes, 0, bytes.length, new Uint8Array(16)), want);
  },
);

Deno.test.each([
  // 0 is 00000: what follows is padding, up to seven ones.
  ["07", 1],
  ["07ff", -1],
  ["ff", -1],
  // Three of them leave one bit of an octet.
  ["0001", 3],
  ["0001ff", -1],
  // EOS, thirty ones, ends in the first half of an octet, and in the second.
  ["07ffffffff", -1],
  ["ffffffff", -1],
  ["0001ffffffff", -1],
])("huffmanDecode() of %s with its padding is %i octets long", (octets, want) => {
  const bytes = Uint8Array.fromHex(octets);
  assert.equal(huffmanDecode(bytes, 0, bytes.length, new Uint8Array(16)), want);
});
