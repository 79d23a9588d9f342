import assert from "node:assert/strict";
import { areServiceParams, keysOf, PARAM } from "../../../lib/dns/service_params.ts";
import { serviceParamsFromText, serviceParamsText } from "../../../lib/dns/service_param_text.ts";
import { joined, u16 } from "../../../lib/wire/mod.ts";

/** Parameters on the wire; `1:026832` is alpn with h2. */
function octetsOf(params: readonly string[]): Uint8Array {
  return joined(params.flatMap((param) => {
    const [key, hex = ""] = param.split(":");
    const value = Uint8Array.fromHex(hex);
    return [u16(Number(key)), u16(value.length), value];
  }));
}

Deno.test("keys have the numbers of RFC 9460, 9461 and 9540", () => {
  assert.deepEqual({ ...PARAM }, {
    ...{ mandatory: 0, alpn: 1, "no-default-alpn": 2, port: 3, ipv4hint: 4, ech: 5, ipv6hint: 6 },
    ...{ dohpath: 7, ohttp: 8 },
  });
  assert.deepEqual(keysOf(Uint8Array.of(1, 2, 0xff, 0xfe)), [0x102, 0xfffe]);
});

const V4 = "c0000201";
const V6 = "20010db8000000000000000000000001";
for (
  const [what, params, valid] of [
    ["nothing", [], true],
    ["alpn", ["1:026832"], true],
    ["two protocols", ["1:026832026833"], true],
    ["alpn of nothing", ["1:"], false],
    ["an empty protocol", ["1:00"], false],
    ["a protocol that is cut off", ["1:0368"], false],
    ["a protocol behind an empty one", ["1:00026832"], false],
    ["no-default-alpn", ["1:026832", "2:"], true],
    ["no-default-alpn alone", ["2:"], false],
    ["no-default-alpn with a value", ["1:026832", "2:00"], false],
    ["a port", ["3:01bb"], true],
    ["a port of one octet", ["3:bb"], false],
    ["a port of three octets", ["3:0001bb"], false],
    ["an address", [`4:${V4}`], true],
    ["two addresses", [`4:${V4}${V4}`], true],
    ["no address", ["4:"], false],
    ["an address that is cut off", ["4:c00002"], false],
    ["ech", ["5:00"], true],
    ["ech of nothing", ["5:"], false],
    ["an IPv6 address", [`6:${V6}`], true],
    ["no IPv6 address", ["6:"], false],
    ["an IPv4 address for IPv6", [`6:${V4}`], false],
    ["a path", ["7:2f"], true],
    ["no path", ["7:"], false],
    ["ohttp", ["8:"], true],
    ["ohttp with a value", ["8:00"], false],
    ["an unknown key", ["9:", "65534:00"], true],
    ["the reserved key", ["65535:"], false],
    ["the wrong order", ["3:01bb", "1:026832"], false],
    ["a key twice", ["3:01bb", "3:01bb"], false],
    ["what is mandatory", ["0:0001", "1:026832"], true],
    ["two mandatory ones", ["0:00010003", "1:026832", "3:01bb"], true],
    ["a mandatory one that is missing", ["0:0001"], false],
    ["mandatory itself", ["0:0000"], false],
    ["mandatory of nothing", ["0:"], false],
    ["half a mandatory key", ["0:000100", "1:026832"], false],
    ["mandatory ones in the wrong order", ["0:00030001", "1:026832", "3:01bb"], false],
    ["a mandatory one twice", ["0:00010001", "1:026832"], false],
  ] as const
) {
  Deno.test(`parameters of a service with ${what} are ${valid ? "" : "not "}valid`, () => {
    assert.equal(areServiceParams(octetsOf(params)), valid);
  });
}

Deno.test("parameters of a service that are cut off anywhere are not valid", () => {
  const octets = octetsOf(["3:01bb"]);
  for (let end = 1; end < octets.length; end++) {
    assert.equal(areServiceParams(octets.subarray(0, end)), false, `${end} octets`);
  }
});

for (
  const [words, params, text = words] of [
    [["alpn=h2,h3", "port=443"], ["1:026832026833", "3:01bb"], ['alpn="h2,h3"', "port=443"]],
    [["port=65535", "alpn=h2"], ["1:026832", "3:ffff"], ['alpn="h2"', "port=65535"]],
    [["alpn=h2", "no-default-alpn"], ["1:026832", "2:"], ['alpn="h2"', "no-default-alpn"]],
    // RFC 9460 appendix D.2: a list within a text.
    [["alpn=f\\\\\\092oo\\\\,bar,h2"], ["1:08665c6f6f2c626172026832"], [
      'alpn="f\\\\\\\\oo\\\\,bar,h2"',
    ]],
    [["ipv4hint=192.0.2.1,192.0.2.1"], [`4:${V4}${V4}`]],
    [["ipv6hint=2001:db8::1"], [`6:${V6}`]],
    [["ech=AAE="], ["5:0001"]],
    [["dohpath=/q{?dns}"], ["7:2f717b3f646e737d"], ['dohpath="/q{?dns}"']],
    [["ohttp"], ["8:"]],
    [["key9", "key65534=x"], ["9:", "65534:78"], ["key9", 'key65534="x"']],
    [["mandatory=port,alpn", "alpn=h2", "port=1"], ["0:00010003", "1:026832", "3:0001"], [
      ...["mandatory=alpn,port", 'alpn="h2"', "port=1"],
    ]],
    [["mandatory=key9", "key9=a"], ["0:0009", "9:61"], ["mandatory=key9", 'key9="a"']],
  ] as readonly (readonly [readonly string[], readonly string[], (readonly string[])?])[]
) {
  Deno.test(`the words ${words.join(" ")} are these parameters, and back`, () => {
    const octets = octetsOf(params);
    assert.deepEqual(serviceParamsFromText(words), { ok: true, value: octets });
    assert.deepEqual(serviceParamsText(octets), text);
    // What was written is read as the same, without its quotation marks.
    const again = text.map((word) => word.replace(/="(.*)"$/, "=$1"));
    assert.deepEqual(serviceParamsFromText(again), { ok: true, value: octets });
  });
}

for (
  const [words, reason] of [
    [["port=1", "port=2"], "port comes twice"],
    [["=1"], "not a parameter: keys are in lower case, such as alpn, or key667"],
    [["ALPN=h2"], "not a parameter: keys are in lower case, such as alpn, or key667"],
    [["key01"], "not a parameter: keys are in lower case, such as alpn, or key667"],
    [["key65535"], "not a parameter: keys are in lower case, such as alpn, or key667"],
    [["port=65536"], "port: not a number from 0 to 65535"],
    [["alpn="], "alpn: a protocol has 1 to 255 octets"],
    [["alpn=h2,,h3"], "alpn: a protocol has 1 to 255 octets"],
    [[`alpn=${"a".repeat(256)}`], "alpn: a protocol has 1 to 255 octets"],
    [["ipv4hint=::1"], "ipv4hint: not IPv4 addresses"],
    [["ipv4hint="], "ipv4hint: not IPv4 addresses"],
    [["ipv6hint=192.0.2.1"], "ipv6hint: not IPv6 addresses"],
    [["ech=?"], "ech: not base64"],
    [
      ["mandatory=x", "alpn=h2"],
      "mandatory: not a parameter: keys are in lower case, such as alpn, or key667",
    ],
    [["no-default-alpn"], "the parameters contradict each other or themselves"],
    [["mandatory=alpn"], "the parameters contradict each other or themselves"],
  ] as const
) {
  Deno.test(`the words ${words.join(" ").slice(0, 30)} are refused: ${reason}`, () => {
    assert.deepEqual(serviceParamsFromText(words), { ok: false, reason });
  });
}

Deno.test("a protocol of 255 octets is one", () => {
  const params = serviceParamsFromText([`alpn=${"a".repeat(255)}`]);
  assert.equal(params.ok && params.value.length, 4 + 1 + 255);
});
