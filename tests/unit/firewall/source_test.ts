import assert from "node:assert/strict";
import { parseIp } from "../../../lib/addr/mod.ts";
import { checkPrefix, SITE_PREFIX, sourceWords } from "../../../lib/firewall/_source.ts";

Deno.test.each([
  [32, 0],
  [33, 0x80000000],
  [47, 0xfffe0000],
  [48, 0xffff0000],
  [63, 0xfffffffe],
  [64, 0xffffffff],
])("sourceWords() of an IPv6 prefix of %i bits keeps them and no more", (prefix, second) => {
  const ip = parseIp("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff");
  assert(ip.ok);
  const words = sourceWords(ip.value, checkPrefix(prefix));
  assert.deepEqual([words.w0, words.w1 >>> 0, words.kind], [0x20010db8, second, prefix]);
});

Deno.test("sourceWords() of an IPv4 address is that address, whatever the prefix", () => {
  const ip = parseIp("192.0.2.1");
  assert(ip.ok);
  assert.equal(sourceWords(ip.value, 32).w0, 0xc0000201);
  assert.deepEqual(sourceWords(ip.value, 32), sourceWords(ip.value, 64));
});

Deno.test("a site is a /48 (RFC 6177)", () => assert.equal(SITE_PREFIX, 48));
