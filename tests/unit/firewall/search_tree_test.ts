import assert from "node:assert/strict";
import { formatIp, type IpAddress, parseIp } from "../../../lib/addr/mod.ts";
import { SearchTree } from "../../../lib/firewall/_search_tree.ts";

function ip(text: string): IpAddress {
  const parsed = parseIp(text);
  assert(parsed.ok, text);
  return parsed.value;
}

/** Nodes as the specification writes them, each a pair of records. */
function encode(nodes: readonly (readonly [number, number])[], recordSize: number): Uint8Array {
  const octets = nodes.flatMap(([left, right]) => {
    const of = (value: number, count: number) =>
      Array.from({ length: count }, (_, i) => value >>> 8 * (count - 1 - i) & 255);
    if (recordSize !== 28) return [...of(left, recordSize / 8), ...of(right, recordSize / 8)];
    return [...of(left, 3), (left >>> 24) << 4 | right >>> 24, ...of(right, 3)];
  });
  return Uint8Array.from(octets);
}

function tree(
  nodes: readonly (readonly [number, number])[],
  { recordSize = 24, ipVersion = 4 } = {},
): SearchTree {
  return new SearchTree(encode(nodes, recordSize), {
    nodeCount: nodes.length,
    recordSize,
    ipVersion,
  });
}

/** Nothing is known below a record of this value. */
const NOTHING = 3;
/** 0/1 is known as 40, 192/2 as 0x123456, 128/3 as 50; of 160/3 nothing is known. */
const NODES = [[40, 1], [2, 0x123456], [50, NOTHING]] as const;

Deno.test.each([[24], [28], [32]])("SearchTree.find() walks records of %i bits", (recordSize) => {
  const found = ["0.0.0.0", "127.255.255.255", "192.0.0.0", "255.255.255.255", "128.0.0.0"]
    .map((text) => tree(NODES, { recordSize }).find(ip(text)));
  assert.deepEqual(found, [40, 40, 0x123456, 0x123456, 50]);
  assert.equal(tree(NODES, { recordSize }).find(ip("160.0.0.0")), 0);
});

Deno.test.each([[28, 0xfedcba9], [32, 0xfedcba98]])(
  "SearchTree.find() reads all of %i bits",
  (recordSize, value) => {
    const wide = tree([[value, value - 1]], { recordSize });
    assert.deepEqual(["1.0.0.0", "128.0.0.0"].map((text) => wide.find(ip(text))), [
      value,
      value - 1,
    ]);
  },
);

Deno.test("SearchTree.find() knows nothing of IPv6 in a tree of IPv4", () => {
  assert.equal(tree(NODES).find(ip("c000::")), 0);
});

Deno.test("SearchTree.find() knows nothing of IPv4 in a tree that has none", () => {
  // ::/1 is not known at all.
  const six = tree([[1, 40]], { ipVersion: 6 });
  assert.equal(six.find(ip("8000::")), 40);
  assert.deepEqual(["0.0.0.0", "255.255.255.255"].map((text) => six.find(ip(text))), [0, 0]);
});

Deno.test("SearchTree.find() takes ::/1 for IPv4 too when all of it is one network", () => {
  const six = tree([[40, 1]], { ipVersion: 6 });
  assert.equal(six.find(ip("192.0.2.1")), 40);
  assert.equal(six.find(ip("::1")), 40);
});

const MAP = 7 << 5;
const POINTER = 1 << 5;
const TEXT = 2 << 5;

Deno.test.each([
  ["a map", 0, undefined],
  ["a pointer", 1, undefined],
  ["a text", 2, 3],
  ["behind the data", 3, 3],
  ["in front of the data", -1, 3],
  ["the zeroes between", -15, 3],
  ["nothing", -16, undefined],
])("SearchTree.findBrokenRecord() of a record that points at %s", (_, offset, want) => {
  const data = Uint8Array.of(MAP, POINTER, TEXT);
  // Two nodes and 16 zeroes are in front of the data.
  const first = 2 + 16;
  assert.equal(tree([[1, 2], [first, first + offset]]).findBrokenRecord(data), want);
});

Deno.test.each([
  [[[17, 1], [2, 2]], 0],
  [[[1, 17], [2, 2]], 1],
  [[[1, 2], [17, 2]], 2],
  [[[1, 2], [2, 17]], 3],
  [[[1, 2], [2, 2]], undefined],
  [[[18, 1], [2, 18]], undefined],
] as [[number, number][], number | undefined][])(
  "SearchTree.findBrokenRecord() of %j is %s: the first record counts as 0",
  (nodes, want) => {
    // What lies behind the tree would be no node.
    assert.equal(tree(nodes).findBrokenRecord(Uint8Array.of(MAP)), want);
  },
);

function leaves(of: SearchTree, maxNodes = 1000): string[] {
  return [...of.leaves(maxNodes)].map(({ ip, value }) => `${formatIp(ip)} ${value}`);
}

Deno.test("SearchTree.leaves() go in the order of addresses", () => {
  assert.deepEqual(leaves(tree(NODES)), ["0.0.0.0 40", "128.0.0.0 50", "192.0.0.0 1193046"]);
  assert.deepEqual(leaves(tree(NODES, { ipVersion: 6 })), [
    ":: 40",
    "8000:: 50",
    "c000:: 1193046",
  ]);
});

Deno.test.each([[0, 0], [1, 0], [2, 1], [3, 2], [4, 4]])(
  "SearchTree.leaves() looks at %i nodes and finds %i leaves",
  (maxNodes, count) => {
    assert.equal(leaves(tree([[40, 1], [50, 2], [60, 61]]), maxNodes).length, count);
  },
);

Deno.test.each([[4, 32, "255.255.255.255"], [6, 128, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"]])(
  "SearchTree.leaves() of a tree of IPv%i that leads back to its root end at the last bit",
  (ipVersion, bits, last) => {
    const found = [...tree([[40, 0]], { ipVersion }).leaves(1000)];
    assert.equal(found.length, bits);
    assert(found.every(({ ip }) => ip.family === ipVersion));
    const highest = found.at(-1)?.ip as IpAddress;
    assert.equal(
      formatIp(highest),
      ipVersion === 4 ? last.replace(/5$/, "4") : last.replace(/f$/, "e"),
    );
  },
);
