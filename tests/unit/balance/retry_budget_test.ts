import assert from "node:assert/strict";
import { BALANCE_LIMITS } from "../../../lib/balance/mod.ts";
import { RetryBudget } from "../../../lib/balance/retry_budget.ts";

const { budgetMs, leastRetries } = BALANCE_LIMITS;
/** Dials of which the budget is ten retries more than the least. */
const MANY = 100;

/** A budget into which many have dialled at some time, after one at 0. */
function dialledAt(ms: number): RetryBudget {
  const budget = new RetryBudget(BALANCE_LIMITS);
  budget.dialled(0);
  for (let i = 1; i < MANY; i++) budget.dialled(ms);
  return budget;
}

function retriesAt(budget: RetryBudget, ms: number): number {
  let count = 0;
  while (budget.retry(ms)) count++;
  return count;
}

Deno.test.each([
  // Of this half, of the one before, of none any more.
  [0, 0, 20],
  [0, budgetMs / 2, 20],
  [0, budgetMs - 1, 20],
  [0, budgetMs, leastRetries],
  // What begins with the second half is of the second half.
  [budgetMs / 2, budgetMs, 20],
  [budgetMs / 2 - 1, budgetMs, leastRetries],
])("a hundred dials at %d ms are worth, at %d ms, %d retries", (dials, retries, count) => {
  assert.equal(retriesAt(dialledAt(dials), retries), count);
});

Deno.test("retries that were made are counted as long as dials are", () => {
  const budget = new RetryBudget(BALANCE_LIMITS);
  assert.equal(retriesAt(budget, 0), leastRetries);
  assert.equal(retriesAt(budget, budgetMs - 1), 0);
  assert.equal(retriesAt(budget, 2 * budgetMs), leastRetries);
});
