import assert from "node:assert/strict";
import { parseIp } from "../../../lib/addr/mod.ts";
import { ResetBudgets } from "../../../lib/l7/reset_budgets.ts";

function ip(text: string) {
  const parsed = parseIp(text);
  assert.ok(parsed.ok);
  return parsed.value;
}

Deno.test("ResetBudgets.of() gives one budget to an address, and to an IPv6 /64", () => {
  const budgets = new ResetBudgets();
  assert.equal(budgets.of(ip("192.0.2.1")), budgets.of(ip("::ffff:192.0.2.1")));
  assert.notEqual(budgets.of(ip("192.0.2.1")), budgets.of(ip("192.0.2.2")));
  assert.equal(budgets.of(ip("2001:db8:0:1::1")), budgets.of(ip("2001:db8:0:1:ffff::2")));
  assert.notEqual(budgets.of(ip("2001:db8:0:1::1")), budgets.of(ip("2001:db8:0:2::1")));
});

Deno.test("ResetBudgets.of() remembers a bounded number, those asked for last", () => {
  const budgets = new ResetBudgets();
  const busy = budgets.of(ip("192.0.2.1"));
  for (let i = 0; i < 20_000; i++) {
    budgets.of(ip(`10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`));
    if (i % 1000 === 0) budgets.of(ip("192.0.2.1"));
  }
  assert.equal(budgets.size, 8192);
  assert.equal(budgets.of(ip("192.0.2.1")), busy);
});
