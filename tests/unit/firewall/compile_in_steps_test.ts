import assert from "node:assert/strict";
import {
  compileFirewall,
  compileFirewallInSteps,
  countRules,
  type FirewallRule,
  MAX_OVERLAY_RULES,
  patchFirewall,
  patchFirewallInSteps,
} from "../../../lib/firewall/mod.ts";
import { runAtOnce } from "../../../lib/slices/mod.ts";

const blocks = (count: number, from = 1): FirewallRule[] =>
  Array.from({ length: count }, (_, i) => {
    const id = from + i;
    const value = `10.${(id >> 8) & 255}.${id & 255}`;
    return id % 3 === 0
      ? { id, type: "ip", value: `${value}.1` }
      : { id, type: "cidr", value: `${value}.0/24` };
  });

Deno.test("countRules() counts what is compiled, added and removed", () => {
  assert.deepEqual(countRules(compileFirewall([])), new Map());
  const compiled = compileFirewall([
    ...blocks(30),
    { id: 91, type: "country", value: "DE" },
    { id: 92, type: "cidr", value: "2001:db8::/32" },
    { id: 93, type: "ip", value: "192.0.2.1", action: "allow" },
  ]);
  assert.deepEqual([...countRules(compiled)], [["ip", 10], ["cidr", 21], ["country", 1]]);
  const patched = patchFirewall(compiled, {
    add: [{ id: 94, type: "ip", value: "192.0.2.2" }, { id: 95, type: "country", value: "FR" }],
    remove: [1, 3, 92],
  });
  assert.deepEqual([...countRules(patched)], [["ip", 10], ["cidr", 19], ["country", 2]]);
});

Deno.test("a firewall is compiled and patched in steps as it is at once", () => {
  const rules = blocks(MAX_OVERLAY_RULES + 10);
  const steps = [...compileFirewallInSteps(rules)].length;
  assert.ok(steps > rules.length, "a step for each rule at least");
  const compiled = runAtOnce(compileFirewallInSteps(rules));
  assert.deepEqual(compiled, compileFirewall(rules));
  // Few changes lie over the table; many make a new one.
  for (const count of [5, MAX_OVERLAY_RULES + 1]) {
    const patch = { add: blocks(count, 10_000), remove: [1, 2, 3] };
    assert.deepEqual(
      runAtOnce(patchFirewallInSteps(compiled, patch)),
      patchFirewall(compiled, patch),
    );
  }
});
