import assert from "node:assert/strict";
import {
  formatIp,
  ipFromBytes,
  ipToBytes,
  isLoopback,
  parseIp,
  sourceKey,
} from "../../../lib/addr/mod.ts";
import { ipv4, ipv6 } from "../../../lib/addr/ip.ts";

const canonical = (text: string): string | undefined => {
  const ip = parseIp(text);
  return ip.ok ? formatIp(ip.value) : undefined;
};

Deno.test.each([
  ["0.0.0.0", "0.0.0.0"],
  ["255.255.255.255", "255.255.255.255"],
  ["192.0.2.1", "192.0.2.1"],
  ["::", "::"],
  ["::1", "::1"],
  ["2001:DB8::A", "2001:db8::a"],
  ["2001:0db8:0000:0000:0001:0000:0000:0001", "2001:db8::1:0:0:1"],
  ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
  ["1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"],
  ["::ffff:192.0.2.1", "192.0.2.1"],
  ["::ffff:c000:201", "192.0.2.1"],
  ["0:0:0:0:0:ffff:1.2.3.4", "1.2.3.4"],
  ["64:ff9b::192.0.2.33", "64:ff9b::c000:221"],
  ["::1.2.3.4", "::102:304"],
  ["9.9.9.9", "9.9.9.9"],
  ["1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"],
  ["ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"],
  ["::ffff:0:0", "0.0.0.0"],
  ["1::ffff:1.2.3.4", "1::ffff:102:304"],
  ["0:0:1:0:0:ffff:1.2.3.4", "::1:0:0:ffff:102:304"],
  ["::1:ffff:1.2.3.4", "::1:ffff:102:304"],
  ["0:1:0:0:0:ffff:102:304", "0:1::ffff:102:304"],
  ["0:1:2:3:4:5:6:7", "0:1:2:3:4:5:6:7"],
  ["0:1:0:2:0:3:0:4", "0:1:0:2:0:3:0:4"],
  ["1:2:0:0:3:4:0:0", "1:2::3:4:0:0"],
  ["1:2:3:4:5:6:0:0", "1:2:3:4:5:6::"],
])("parseIp() and formatIp() agree on the canonical form of %s", (text, want) => {
  assert.equal(canonical(text), want);
});

Deno.test.each([
  [""],
  ["1"],
  ["1.2.3"],
  ["1.2.3.4.5"],
  ["1..2.3"],
  ["01.2.3.4"],
  ["1.2.3.04"],
  ["256.1.1.1"],
  ["1.2.3.4 "],
  [" 1.2.3.4"],
  ["0x7f.0.0.1"],
  ["1.2.3.-4"],
  ["1.2.3.4\0"],
  ["１.2.3.4"],
  ["1.2.3."],
  [".1.2.3"],
  [":"],
  [":::"],
  ["1::2::3"],
  ["1:2:3:4:5:6:7"],
  ["1:2:3:4:5:6:7:8:9"],
  ["::12345"],
  ["1:2:3:4:5:6:7:8::"],
  ["::1:2:3:4:5:6:7:8"],
  ["fe80::1%eth0"],
  ["::1.2.3"],
  ["1.2.3.4::"],
  ["::1.2.3.4:5"],
  ["[::1]"],
  ["::1/128"],
  ["g::"],
  ["1:"],
  [":1"],
  ["0001.2.3.4"],
  ["1.2.3.4.5.6.7.8"],
  ["123.123.123.1234"],
  ["1.2.3:4"],
  ["1.2.3.:"],
  ["1.2.3.4;"],
  ["1.2.3./"],
  ["..."],
  ["1...2"],
  ["100..2.3"],
  ["1.2.300."],
  [".100.2.3"],
  ["100.200.30"],
  ["1::2:"],
  ["1:::2"],
  ["::1::"],
  ["1:1.2.3.4:2::"],
  ["1:2:3:4:5:6:7:1.2.3.4"],
  ["0000:0000:0000:0000:0000:0000:255.255.255.2555"],
])("parseIp() refuses %j", (text) => {
  assert.equal(parseIp(text).ok, false);
});

Deno.test("ipFromBytes() undoes ipToBytes() for every octet position", () => {
  for (const size of [4, 16]) {
    for (let i = 0; i < size; i++) {
      const bytes = new Uint8Array(size).fill(1);
      bytes[i] = 0xfe;
      assert.deepEqual(ipToBytes(ipFromBytes(bytes)), bytes);
    }
  }
});

Deno.test("ipFromBytes() turns an IPv4-mapped address into the IPv4 address", () => {
  const mapped = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1);
  assert.equal(formatIp(ipFromBytes(mapped)), "192.0.2.1");
});

Deno.test("ipFromBytes() throws a RangeError for any other number of octets", () => {
  for (const size of [0, 3, 5, 15, 17]) {
    assert.throws(() => ipFromBytes(new Uint8Array(size)), RangeError);
  }
});

Deno.test("parseIp() says that zone identifiers are what is wrong", () => {
  assert.deepEqual(parseIp("fe80::1%eth0"), {
    ok: false,
    reason: "zone identifiers are not accepted",
  });
});

Deno.test.each([
  ["127.0.0.0", true],
  ["127.255.255.255", true],
  ["126.255.255.255", false],
  ["128.0.0.0", false],
  ["::1", true],
  ["::", false],
  ["::2", false],
  ["1::1", false],
  ["0:0:1::1", false],
  ["0:0:0:0:1::1", false],
  ["::ffff:127.0.0.1", true],
  ["7f00::1", false],
])("isLoopback() of %s is %j", (text, want) => {
  const ip = parseIp(text);
  assert(ip.ok);
  assert.equal(isLoopback(ip.value), want);
});

Deno.test("ipv4() leaves the words that IPv4 does not use at 0, and ipv6() maps by all 96 bits", () => {
  assert.deepEqual(ipv4(-1), { family: 4, w0: 0, w1: 0, w2: 0, w3: 0xffffffff });
  assert.equal(ipv6(0, 0, 0xffff, 1).family, 4);
  assert.deepEqual(ipv6(1, 0, 0xffff, 1), { family: 6, w0: 1, w1: 0, w2: 0xffff, w3: 1 });
  assert.deepEqual(ipv6(0, 1, 0xffff, 1), { family: 6, w0: 0, w1: 1, w2: 0xffff, w3: 1 });
  assert.deepEqual(ipv6(0, 0, 0xfffe, 1), { family: 6, w0: 0, w1: 0, w2: 0xfffe, w3: 1 });
  assert.deepEqual(ipv6(-1, -1, -1, -1), {
    family: 6,
    w0: 0xffffffff,
    w1: 0xffffffff,
    w2: 0xffffffff,
    w3: 0xffffffff,
  });
});

Deno.test.each([
  ["192.0.2.1", "192.0.2.1", true],
  ["192.0.2.1", "192.0.2.2", false],
  ["192.0.2.1", "::ffff:192.0.2.1", true],
  // One customer has a /64: the last address of one, and the first of the next.
  ["2001:db8:1:2::", "2001:db8:1:2:ffff:ffff:ffff:ffff", true],
  ["2001:db8:1:2::", "2001:db8:1:3::", false],
  ["2001:db8:1:2::", "2001:db9:1:2::", false],
])("sourceKey() of %s and %s is one source: %j", (left, right, want) => {
  const [a, b] = [parseIp(left), parseIp(right)];
  assert(a.ok && b.ok);
  assert.equal(sourceKey(a.value) === sourceKey(b.value), want);
});

Deno.test("sourceKey() never takes an IPv4 address for an IPv6 source", () => {
  const keys = [ipv4(1), ipv6(0, 1, 0, 0), ipv6(1, 0, 0, 0), ipv6(0, 0, 0, 1)].map(sourceKey);
  assert.equal(new Set(keys).size, keys.length);
});
