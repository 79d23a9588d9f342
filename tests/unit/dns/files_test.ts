import assert from "node:assert/strict";
import { parseHosts, parseResolvConf } from "../../../lib/dns/mod.ts";

Deno.test("parseHosts() reads addresses by name, in the file's order, and skips what is not valid", () => {
  const hosts = parseHosts(`
127.0.0.1 localhost Alias # remark
::1\tlocalhost
fe80::1%lo0 link
192.0.2.1
nonsense a.test
192.0.2.2 a.test. bad_-.name- a.test
# 192.0.2.3 b.test
`);
  assert.deepEqual([...hosts], [
    ["localhost", ["127.0.0.1", "::1"]],
    ["alias", ["127.0.0.1"]],
    ["link", ["fe80::1"]],
    ["a.test", ["192.0.2.2"]],
  ]);
});

Deno.test("parseResolvConf() reads servers, search list and options", () => {
  const text = `# made by hand
nameserver 192.0.2.1 ; remark
nameserver 2001:DB8::1
nameserver not-an-address
nameserver 192.0.2.2
nameserver 192.0.2.3
domain old.test
search A.test b.test. -bad-
options ndots:2 timeout:3 attempts:4 rotate edns0
`;
  assert.deepEqual(parseResolvConf(text), {
    servers: ["192.0.2.1", "2001:db8::1", "192.0.2.2"],
    search: ["a.test", "b.test"],
    ndots: 2,
    timeoutMs: 3000,
    attempts: 4,
  });
});

Deno.test("parseResolvConf() has the defaults and the bounds of resolv.conf(5)", () => {
  assert.deepEqual(parseResolvConf(""), {
    servers: ["127.0.0.1"],
    search: [],
    ndots: 1,
    timeoutMs: undefined,
    attempts: 2,
  });
  const { ndots, timeoutMs, attempts } = parseResolvConf(
    "options ndots:99 timeout:0\noptions attempts:999 timeout:100\n",
  );
  assert.deepEqual([ndots, timeoutMs, attempts], [15, 30_000, 5]);
  assert.equal(parseResolvConf(`search ${"a.test ".repeat(9)}`).search.length, 6);
});
