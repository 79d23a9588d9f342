import assert from "node:assert/strict";
import { formatIp, ipFromBytes, ipToBytes, parseIp } from "../../../lib/addr/mod.ts";

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
