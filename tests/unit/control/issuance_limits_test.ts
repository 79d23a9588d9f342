import assert from "node:assert/strict";
import { allowedAt } from "../../../lib/control/issuance_limits.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const NOW = 100 * HOUR;
const of = (name: string, ...ago: number[]) => ago.map((ms) => ({ name, time: NOW - ms }));

Deno.test("allowedAt() lets a name be tried four times an hour, and the others go on", () => {
  const three = of("a", 3 * MINUTE, 2 * MINUTE, MINUTE);
  assert.equal(allowedAt(three, { name: "a", now: NOW }), NOW);
  const four = [...of("a", 50 * MINUTE), ...three];
  assert.equal(allowedAt(four, { name: "a", now: NOW }), NOW + 10 * MINUTE);
  assert.equal(allowedAt(four, { name: "b", now: NOW }), NOW);
  // An hour later to the millisecond it counts no more.
  assert.equal(allowedAt([...of("a", HOUR), ...three], { name: "a", now: NOW }), NOW);
  assert.equal(allowedAt([...of("a", HOUR - 1), ...three], { name: "a", now: NOW }), NOW + 1);
});

Deno.test("allowedAt() lets all names together be tried 200 times in three hours", () => {
  const many = Array.from({ length: 199 }, (_, i) => ({ name: `h${i}`, time: NOW - HOUR - i }));
  assert.equal(allowedAt(many, { name: "new", now: NOW }), NOW);
  const full = [...many, { name: "last", time: NOW }];
  assert.equal(allowedAt(full, { name: "new", now: NOW }), NOW - HOUR - 198 + 3 * HOUR);
});
