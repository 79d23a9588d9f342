import assert from "node:assert/strict";
import { parseIp } from "../../../lib/addr/mod.ts";
import { createRateBuffer, ResponseRate } from "../../../lib/dns_server/response_rate.ts";

function rates(changes: Partial<ConstructorParameters<typeof ResponseRate>[0]> = {}) {
  const responsesPerSecond = changes.responsesPerSecond ?? 4;
  const rate = new ResponseRate({
    slip: 2,
    ipv4Prefix: 24,
    ipv6Prefix: 56,
    exempt: ["192.0.2.7", "2001:db8:9::/48"],
    buffer: createRateBuffer(responsesPerSecond),
    ...changes,
    responsesPerSecond,
  });
  return (text: string, count: number, nowMs = 0): string => {
    const ip = parseIp(text);
    assert(ip.ok);
    return Array.from({ length: count }, () => rate.rate(ip.value, nowMs)[1]).join("");
  };
}

Deno.test("ResponseRate sends so many to a prefix, then every second one truncated", () => {
  const rate = rates();
  assert.equal(rate("198.51.100.1", 3), "eee");
  assert.equal(rate("198.51.100.200", 7), "erlrlrl");
  assert.equal(rate("198.51.101.1", 4), "eeee");
  // The next second is a new one.
  assert.match(rate("198.51.100.1", 5, 1000), /^eeee[rl]$/);
});

Deno.test("ResponseRate takes an IPv6 /56 for one", () => {
  const rate = rates({ slip: 0 });
  assert.equal(rate("2001:db8:0:100::1", 4), "eeee");
  assert.equal(rate("2001:db8:0:1ff::1", 1), "r");
  assert.equal(rate("2001:db8:0:200::1", 1), "e");
});

Deno.test("ResponseRate slips none, all, or the third of those over the limit", () => {
  assert.equal(rates({ slip: 0 })("198.51.100.1", 8), "eeeerrrr");
  assert.equal(rates({ slip: 1 })("198.51.100.1", 8), "eeeellll");
  assert.equal(rates({ slip: 3 })("198.51.100.1", 10), "eeeerrlrrl");
});

Deno.test("ResponseRate limits nobody who is exempt, and nobody where it is off", () => {
  assert.equal(rates()("192.0.2.7", 9), "e".repeat(9));
  assert.equal(rates()("2001:db8:9:9::1", 9), "e".repeat(9));
  assert.match(rates()("192.0.2.8", 9), /^eeee[rl]+$/);
  assert.equal(rates({ responsesPerSecond: 0 })("198.51.100.1", 300), "e".repeat(300));
});
