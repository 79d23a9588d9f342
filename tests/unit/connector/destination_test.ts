import assert from "node:assert/strict";
import { parseIp } from "../../../lib/addr/mod.ts";
import { compileDestinations } from "../../../lib/connector/mod.ts";

function refusal(text: string, networks: readonly string[] = []): string {
  const ip = parseIp(text);
  assert(ip.ok, text);
  return compileDestinations(networks)(ip.value) ?? "allowed";
}

Deno.test.each([
  ["10.0.0.7", "allowed"],
  ["192.168.1.1", "allowed"],
  ["100.64.0.1", "allowed"],
  ["8.8.8.8", "allowed"],
  ["fd00::1", "allowed"],
  ["2001:db8::1", "allowed"],
  ["0.0.0.0", "this host"],
  ["127.0.0.1", "loopback"],
  ["127.255.255.255", "loopback"],
  ["128.0.0.0", "allowed"],
  ["169.254.0.1", "link-local"],
  ["169.254.169.254", "a metadata service"],
  ["168.63.129.16", "a metadata service"],
  ["192.0.0.192", "a metadata service"],
  ["100.100.100.200", "a metadata service"],
  ["224.0.0.1", "multicast"],
  ["239.255.255.255", "multicast"],
  ["240.0.0.1", "reserved"],
  ["255.255.255.255", "reserved"],
  ["::", "this host"],
  ["::1", "loopback"],
  ["fe80::1", "link-local"],
  ["febf::1", "link-local"],
  ["ff02::1", "multicast"],
  ["fd00:ec2::254", "a metadata service"],
  ["fd00:ec2::253", "allowed"],
  // The same in disguise.
  ["::ffff:127.0.0.1", "loopback"],
  ["::ffff:169.254.169.254", "a metadata service"],
  ["::127.0.0.1", "loopback"],
  ["::ffff:0:127.0.0.1", "loopback"],
  ["64:ff9b::127.0.0.1", "loopback"],
  ["64:ff9b::169.254.169.254", "a metadata service"],
  ["64:ff9b::10.0.0.7", "allowed"],
  ["2002:7f00:1::", "loopback"],
  ["2001:0:4136:e378:8000:63bf:80ff:fffe", "loopback"],
])("compileDestinations() says of %s without networks: %s", (text, want) => {
  assert.equal(refusal(text), want);
});

const OUTSIDE = "not in allowed_networks";

Deno.test.each([
  ["10.0.0.7", ["10.0.0.0/8"], "allowed"],
  ["11.0.0.7", ["10.0.0.0/8"], OUTSIDE],
  ["10.0.0.7", ["10.0.0.7"], "allowed"],
  ["10.0.0.8", ["10.0.0.7"], OUTSIDE],
  ["fd00::1", ["10.0.0.0/8"], OUTSIDE],
  ["fd00::1", ["10.0.0.0/8", "fd00::/8"], "allowed"],
  ["127.0.0.1", ["10.0.0.0/8"], "loopback"],
  // Everything does not mean this machine: it has to be named.
  ["127.0.0.1", ["0.0.0.0/0"], "loopback"],
  ["127.0.0.1", ["127.0.0.0/8"], "allowed"],
  ["127.0.0.2", ["127.0.0.1"], "loopback"],
  ["::1", ["::/0"], "loopback"],
  ["::1", ["::1"], "allowed"],
  // Nor does link-local mean the metadata service.
  ["169.254.0.1", ["169.254.0.0/16"], "allowed"],
  ["169.254.169.254", ["169.254.0.0/16"], "a metadata service"],
  ["169.254.169.254", ["169.254.169.254"], "allowed"],
  // Both of what an address stands for.
  ["64:ff9b::10.0.0.7", ["10.0.0.0/8"], OUTSIDE],
  ["64:ff9b::10.0.0.7", ["64:ff9b::/96"], OUTSIDE],
  ["64:ff9b::10.0.0.7", ["10.0.0.0/8", "64:ff9b::/96"], "allowed"],
  ["::ffff:10.0.0.7", ["10.0.0.0/8"], "allowed"],
] as [string, string[], string][])(
  "compileDestinations() says of %s with %o: %s",
  (text, networks, want) => assert.equal(refusal(text, networks), want),
);

Deno.test("compileDestinations() throws at what is no network", () => {
  assert.throws(() => compileDestinations(["10.0.0.0/40"]), TypeError);
  assert.throws(() => compileDestinations(["ten"]), TypeError);
});
