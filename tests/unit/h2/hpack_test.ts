import assert from "node:assert/strict";
import { HpackDecoder, HpackEncoder } from "../../../lib/h2/mod.ts";
import { BAD_VALUE, FieldKind, NEVER_INDEXED } from "../../../lib/h2/field_names.ts";
import { huffmanDecode, huffmanEncode, huffmanLength } from "../../../lib/h2/huffman.ts";
import { encodeBlock } from "../../support/hpack.ts";

function hex(text: string): Uint8Array {
  return Uint8Array.fromHex(text.replaceAll(" ", ""));
}

function decode(decoder: HpackDecoder, block: Uint8Array): string[] | string {
  const fields: string[] = [];
  const done = decoder.decode(block, { field: (name, value) => fields.push(name, value) });
  return done ? fields : decoder.failure;
}

const REQUESTS = [
  [":method", "GET", ":scheme", "http", ":path", "/", ":authority", "www.example.com"],
  [
    ...[":method", "GET", ":scheme", "http", ":path", "/", ":authority", "www.example.com"],
    ...["cache-control", "no-cache"],
  ],
  [
    ...[":method", "GET", ":scheme", "https", ":path", "/index.html"],
    ...[":authority", "www.example.com", "custom-key", "custom-value"],
  ],
];
const DATES = ["Mon, 21 Oct 2013 20:13:21 GMT", "Mon, 21 Oct 2013 20:13:22 GMT"] as const;
const RESPONSES = [
  [
    ...[":status", "302", "cache-control", "private", "date", DATES[0]],
    ...["location", "https://www.example.com"],
  ],
  [
    ...[":status", "307", "cache-control", "private", "date", DATES[0]],
    ...["location", "https://www.example.com"],
  ],
  [
    ...[":status", "200", "cache-control", "private", "date", DATES[1]],
    ...["location", "https://www.example.com", "content-encoding", "gzip"],
    ...["set-cookie", "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1"],
  ],
];

/** RFC 7541 appendix C: blocks, the lists they decode to, and the size of the table after each. */
const EXAMPLES = [
  {
    name: "C.3",
    table: 4096,
    blocks: [
      "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
      "8286 84be 5808 6e6f 2d63 6163 6865",
      "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
    ],
    lists: REQUESTS,
    sizes: [57, 110, 164],
  },
  {
    name: "C.4",
    table: 4096,
    blocks: [
      "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff",
      "8286 84be 5886 a8eb 1064 9cbf",
      "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
    ],
    lists: REQUESTS,
    sizes: [57, 110, 164],
  },
  {
    name: "C.5",
    table: 256,
    blocks: [
      "4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133" +
      "3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
      "4803 3330 37c1 c0bf",
      "88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a" +
      "6970 7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d" +
      "6178 2d61 6765 3d33 3630 303b 2076 6572 7369 6f6e 3d31",
    ],
    lists: RESPONSES,
    sizes: [222, 222, 215],
  },
  {
    name: "C.6",
    table: 256,
    blocks: [
      "4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d" +
      "29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3",
      "4883 640e ffc1 c0bf",
      "88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d" +
      "d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106" +
      "3d50 07",
    ],
    lists: RESPONSES,
    sizes: [222, 222, 215],
  },
];
for (const { name, table, blocks, lists, sizes } of EXAMPLES) {
  Deno.test(`HpackDecoder decodes RFC 7541 appendix ${name}`, () => {
    const decoder = new HpackDecoder(table);
    blocks.forEach((block, i) => {
      assert.deepEqual(decode(decoder, hex(block)), lists[i]);
      assert.equal(decoder.tableSize, sizes[i]);
    });
  });
}

Deno.test("HpackDecoder decodes RFC 7541 appendix C.2", () => {
  const decoder = new HpackDecoder();
  const indexed = "400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572";
  assert.deepEqual(decode(decoder, hex(indexed)), ["custom-key", "custom-header"]);
  assert.equal(decoder.tableSize, 55);
  const plain = hex("040c 2f73 616d 706c 652f 7061 7468");
  assert.deepEqual(decode(decoder, plain), [":path", "/sample/path"]);
  const never = hex("1008 7061 7373 776f 7264 0673 6563 7265 74");
  assert.deepEqual(decode(decoder, never), ["password", "secret"]);
  assert.deepEqual(decode(decoder, hex("82")), [":method", "GET"]);
  assert.equal(decoder.tableSize, 55);
});

const BROKEN: Record<string, string> = {
  "index 0": "80",
  "an index beyond both tables": "be",
  "a name index beyond both tables": "7f00 0161",
  "an integer without end": "ff ffff ffff ffff ffff 7f",
  "an integer cut short": "ff80",
  "a string longer than the block": "4003 6161",
  "a name without a value": "4001 61",
  "a block that ends before the name": "40",
  "a table size above the limit": "3fe2 1f",
  "a table size update after a field": "8220",
  "three table size updates": "2020 20",
  "Huffman padding of eight bits": "0082 ffff 00",
  "Huffman padding with zeroes": "0081 1000",
  "EOS inside a Huffman string": "0084 ffff ffff 00",
};
const REASONS: Record<string, string> = {
  "index 0": "index 0",
  "an index beyond both tables": "index beyond the table",
  "a name index beyond both tables": "index beyond the table",
  "an integer without end": "integer too long",
  "an integer cut short": "block ends inside an integer",
  "a string longer than the block": "string longer than its block",
  "a name without a value": "block ends before a string",
  "a block that ends before the name": "block ends before a string",
  "a table size above the limit": "table size update above the limit",
  "a table size update after a field": "table size update after a field",
  "three table size updates": "too many table size updates",
  "Huffman padding of eight bits": "invalid Huffman code",
  "Huffman padding with zeroes": "invalid Huffman code",
  "EOS inside a Huffman string": "invalid Huffman code",
};
for (const [name, block] of Object.entries(BROKEN)) {
  Deno.test(`HpackDecoder refuses ${name}`, () => {
    assert.equal(decode(new HpackDecoder(), hex(block)), REASONS[name]);
  });
}

Deno.test("HpackDecoder gives an entry larger than the table an empty table", () => {
  const decoder = new HpackDecoder(100);
  decode(decoder, hex("4001 6101 62"));
  assert.equal(decoder.tableSize, 34);
  const large = new Uint8Array([0x40, 1, 0x61, 100, ...new Uint8Array(100).fill(0x62)]);
  assert.deepEqual(decode(decoder, large), ["a", "b".repeat(100)]);
  assert.equal(decoder.tableSize, 0);
});

Deno.test("HpackDecoder keeps a name whose entry the new one evicts (RFC 7541 §4.4)", () => {
  const decoder = new HpackDecoder(40);
  decode(decoder, hex("4002 6161 0162"));
  assert.deepEqual(decode(decoder, hex("7e02 6363")), ["aa", "cc"]);
  assert.equal(decoder.tableSize, 36);
});

Deno.test("HpackDecoder reads strings that differ only in how they are encoded", () => {
  const decoder = new HpackDecoder();
  // The same octets, once as Huffman code ("a" is 00011, padded with ones), once as they are.
  assert.deepEqual(decode(decoder, hex("0001 6181 1f")), ["a", "a"]);
  assert.deepEqual(decode(decoder, hex("0001 6101 1f")), ["a", "\x1f"]);
  assert.deepEqual(decode(decoder, hex("0001 6181 1f")), ["a", "a"]);
});

Deno.test("huffmanEncode() and huffmanDecode() agree on every pair of octets", () => {
  const target = new Uint8Array(20);
  const decoded = new Uint8Array(32);
  for (let first = 0; first < 256; first++) {
    for (let second = 0; second < 256; second += 3) {
      const text = String.fromCharCode(first, second, 0x61);
      const end = huffmanEncode(text, target, 0);
      assert.equal(end, huffmanLength(text));
      assert.equal(huffmanDecode(target, 0, end, decoded), 3);
      assert.equal(String.fromCharCode(...decoded.subarray(0, 3)), text);
    }
  }
});

/** First octet of the literal that an encoder makes of a field. */
function pattern(name: string, value: string, never = false): number {
  const target = new Uint8Array(200);
  new HpackEncoder().field(name, value, target, 0, never);
  return (target[0] as number) & 0xf0;
}

Deno.test("HpackEncoder never indexes secrets, nor what it is told not to", () => {
  for (const name of ["authorization", "cookie", "set-cookie", "proxy-authorization"]) {
    assert.equal(pattern(name, "secret"), 0x10, name);
  }
  assert.equal(pattern("x-token", "secret"), 0x40);
  assert.equal(pattern("x-token", "secret", true), 0x10);
});

Deno.test("HpackEncoder does not index what differs in each message", () => {
  for (const name of [":path", "content-length", "date", "etag", "x-request-id"]) {
    assert.equal(pattern(name, "17"), 0x00, name);
  }
});

Deno.test("HpackEncoder signals the lowest table size, then the last (RFC 7541 §4.2)", () => {
  const encoder = new HpackEncoder();
  encodeBlock(encoder, ["x-a", "1"]);
  encoder.setTableLimit(0);
  encoder.setTableLimit(1 << 20);
  const block = encodeBlock(encoder, ["x-a", "1"]);
  assert.deepEqual([...block.subarray(0, 4)], [0x20, 0x3f, 0xe1, 0x1f]);
  const decoder = new HpackDecoder();
  assert.deepEqual(decode(decoder, block), ["x-a", "1"]);
});

Deno.test("HpackEncoder stays in step with a decoder while entries come and go", () => {
  const encoder = new HpackEncoder();
  const decoder = new HpackDecoder();
  for (let i = 0; i < 2000; i++) {
    const list = [`x-${i % 37}`, `value ${i % 11}`, "x-same", "y", "x-long", "z".repeat(i % 3000)];
    assert.deepEqual(decode(decoder, encodeBlock(encoder, list)), list);
    assert.equal(encoder.tableSize, decoder.tableSize);
  }
});

Deno.test("HpackDecoder ends at an index that is cut off or too long, with nothing behind it", () => {
  const octets = (...bytes: number[]) => decode(new HpackDecoder(), Uint8Array.from(bytes));
  assert.equal(octets(0xff), "block ends inside an integer");
  assert.equal(octets(0xff, 0x80), "block ends inside an integer");
  assert.equal(octets(0xff, 0x80, 0x80, 0x80, 0x80, 0x80), "integer too long");
  assert.equal(octets(0x80), "index 0");
  // Of a name, with what could be a value behind it.
  assert.equal(octets(0x7f, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1, 0x61), "integer too long");
  assert.equal(octets(0x0f, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1, 0x61), "integer too long");
});

Deno.test("HpackDecoder knows what a name means that stands in the dynamic table", () => {
  const tags: number[] = [];
  const decoder = new HpackDecoder();
  const sink = { field: (_name: string, _value: string, tag: number) => void tags.push(tag) };
  const text = [..."\x07upgrade\x01 "].map((char) => char.charCodeAt(0));
  // Entered with a value that is none, then its name with another value, then never indexed.
  assert(decoder.decode(Uint8Array.from([0x40, ...text]), sink));
  assert(decoder.decode(Uint8Array.of(0x7e, 1, 0x61, 0x1f, 0x2f, 1, 0x61), sink));
  const kind = FieldKind.connection;
  assert.deepEqual(tags, [kind | BAD_VALUE, kind, kind | NEVER_INDEXED]);
});

Deno.test("HpackEncoder writes the last name of the static table by its index", () => {
  const [first] = encodeBlock(new HpackEncoder(), ["www-authenticate", "Basic"]);
  assert.equal(first, 0x40 | 61);
});
