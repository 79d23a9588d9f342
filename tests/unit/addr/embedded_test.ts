import assert from "node:assert/strict";
import { embeddedIpv4, formatIp, parseIp } from "../../../lib/addr/mod.ts";

function embedded(text: string): string[] {
  const ip = parseIp(text);
  assert(ip.ok, text);
  return embeddedIpv4(ip.value).map(formatIp);
}

Deno.test.each([
  // IPv4-compatible, but for the two that are addresses of their own.
  ["::192.0.2.1", ["192.0.2.1"]],
  ["::2", ["0.0.0.2"]],
  ["::1", []],
  ["::", []],
  ["0:0:0:1::192.0.2.1", []],
  ["1::192.0.2.1", []],
  // IPv4-translated.
  ["::ffff:0:192.0.2.1", ["192.0.2.1"]],
  ["::fffe:0:192.0.2.1", []],
  // NAT64, RFC 6052 §2.4.
  ["64:ff9b::192.0.2.33", ["192.0.2.33"]],
  ["64:ff9b::1:192.0.2.33", []],
  ["64:ff9c::192.0.2.33", []],
  ["64:ff9b:1::192.0.2.33", ["192.0.2.33", "0.0.0.0"]],
  ["64:ff9b:1:c000:2:2100::", ["0.0.0.0", "192.0.2.33"]],
  ["64:ff9b:2::192.0.2.33", []],
  // 6to4, RFC 3056 §2.
  ["2002:c000:221::", ["192.0.2.33"]],
  ["2002:c000:221:ffff:ffff:ffff:ffff:ffff", ["192.0.2.33"]],
  ["2003:c000:221::", []],
  // Teredo, RFC 4380 §4: server 65.54.227.120, client 192.0.2.45.
  ["2001:0:4136:e378:8000:63bf:3fff:fdd2", ["192.0.2.45"]],
  ["2001:1:4136:e378:8000:63bf:3fff:fdd2", []],
  // Plain addresses.
  ["2001:db8::1", []],
  ["192.0.2.1", []],
  ["::ffff:192.0.2.1", []],
] as [string, string[]][])("embeddedIpv4(%s) is %o", (text, want) => {
  assert.deepEqual(embedded(text), want);
});
