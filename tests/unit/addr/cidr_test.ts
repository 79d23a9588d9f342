import assert from "node:assert/strict";
import {
  blockOf,
  cidrContains,
  formatCidr,
  type IpAddress,
  parseBlock,
  parseCidr,
  parseIp,
} from "../../../lib/addr/mod.ts";

function ip(text: string): IpAddress {
  const parsed = parseIp(text);
  assert(parsed.ok, text);
  return parsed.value;
}

Deno.test.each([
  ["10.0.0.0/8", "10.0.0.0/8"],
  ["0.0.0.0/0", "0.0.0.0/0"],
  ["192.0.2.1/32", "192.0.2.1/32"],
  ["2001:DB8::/32", "2001:db8::/32"],
  ["::/0", "::/0"],
  ["::1/128", "::1/128"],
  ["::ffff:10.0.0.0/104", "10.0.0.0/8"],
  ["::ffff:0:0/96", "0.0.0.0/0"],
  ["2001:db8:1:2::/64", "2001:db8:1:2::/64"],
  ["2001:db8:1:2:3:4::/96", "2001:db8:1:2:3:4::/96"],
])("parseCidr() reads %s as %s", (text, want) => {
  const cidr = parseCidr(text);
  assert(cidr.ok);
  assert.equal(formatCidr(cidr.value), want);
});

Deno.test.each([
  ["10.0.0.0"],
  ["10.0.0.0/"],
  ["10.0.0.0/33"],
  ["10.0.0.0/08"],
  ["10.0.0.0/-1"],
  ["10.0.0.0/8 "],
  ["10.0.0.0/8/8"],
  ["::/129"],
  ["::ffff:10.0.0.0/8"],
  ["/8"],
  ["x/8"],
  ["10.0.0.0/1e1"],
])("parseCidr() refuses %j", (text) => {
  assert.equal(parseCidr(text).ok, false);
});

Deno.test("parseCidr() names the block that was meant when host bits are set", () => {
  const cidr = parseCidr("10.1.2.3/8");
  assert.deepEqual(cidr, { ok: false, reason: "host bits are set; did you mean 10.0.0.0/8?" });
});

Deno.test("cidrContains() is right at both edges of every prefix length", () => {
  for (let length = 0; length <= 128; length++) {
    const bit = (i: number) => i < length ? 1n : 0n;
    let first = 0n;
    for (let i = 0; i < 128; i++) first = first << 1n | (bit(i) & BigInt((i * 7 + 1) % 3 % 2));
    const size = 1n << BigInt(128 - length);
    const text = (n: bigint) => n.toString(16).padStart(32, "0").replace(/(.{4})(?=.)/g, "$1:");
    const cidr = parseCidr(`${text(first)}/${length}`);
    assert(cidr.ok, `${text(first)}/${length}`);
    assert(cidrContains(cidr.value, ip(text(first))));
    assert(cidrContains(cidr.value, ip(text(first + size - 1n))));
    if (first > 0n) assert(!cidrContains(cidr.value, ip(text(first - 1n))), `below /${length}`);
    if (first + size < 1n << 128n) {
      assert(!cidrContains(cidr.value, ip(text(first + size))), `above /${length}`);
    }
  }
});

Deno.test("cidrContains() never mixes the families", () => {
  const v6 = parseCidr("::/0");
  assert(v6.ok);
  assert(!cidrContains(v6.value, ip("::ffff:192.0.2.1")));
  assert(cidrContains(v6.value, ip("2001:db8::1")));
});

Deno.test("parseCidr() says which part is missing", () => {
  assert.deepEqual(parseCidr("10.0.0.0"), { ok: false, reason: 'no "/" and prefix length' });
  assert.deepEqual(parseCidr("/8"), { ok: false, reason: "not an IPv4 or IPv6 address" });
});

Deno.test.each([
  ["192.0.2.1", "192.0.2.1/32"],
  ["2001:db8::1", "2001:db8::1/128"],
  ["::ffff:192.0.2.1", "192.0.2.1/32"],
  ["192.0.2.0/24", "192.0.2.0/24"],
])("parseBlock() reads %s as %s: an address is a block of one", (text, want) => {
  const block = parseBlock(text);
  assert(block.ok);
  assert.equal(formatCidr(block.value), want);
  assert.deepEqual(blockOf(text, "client"), block.value);
});

Deno.test.each([
  ["192.0.2", "not an IPv4 or IPv6 address"],
  ["192.0.2.1/24", "host bits are set; did you mean 192.0.2.0/24?"],
])("blockOf() of %s throws, with what it is and why", (text, reason) => {
  assert.deepEqual(parseBlock(text), { ok: false, reason });
  assert.throws(() => blockOf(text, "client"), new TypeError(`client: ${reason}`));
});
