import assert from "node:assert/strict";
import { installLastResort } from "../../../lib/workers/last_resort.ts";
import type { LogRecord } from "../../../lib/observe/mod.ts";

function install() {
  const target = new EventTarget();
  const logged: LogRecord[] = [];
  const clock = { ms: 0 };
  installLastResort(target, { log: (record) => logged.push(record), now: () => clock.ms });
  const fail = (error: unknown) => {
    const event = new ErrorEvent("error", { error, cancelable: true });
    return !target.dispatchEvent(event);
  };
  return { target, logged, clock, fail };
}

Deno.test("installLastResort() takes errors and rejections, and says what they were", () => {
  const { target, logged, fail } = install();
  assert.equal(fail(new Error("one")), true);
  const promise = Promise.reject(new Error("two"));
  promise.catch(() => {});
  const rejection = new PromiseRejectionEvent("unhandledrejection", {
    promise,
    reason: new Error("two"),
    cancelable: true,
  });
  assert.equal(target.dispatchEvent(rejection), false);
  assert.deepEqual(logged.map(({ level, fields }) => [level, fields]), [
    ["error", { reason: "one" }],
    ["error", { reason: "two" }],
  ]);
});

Deno.test("installLastResort() writes ten lines a second, and then how many it kept to itself", () => {
  const { logged, clock, fail } = install();
  for (let i = 0; i < 25; i++) assert.equal(fail(new Error("again")), true);
  assert.equal(logged.length, 10);
  clock.ms = 999;
  fail(new Error("again"));
  assert.equal(logged.length, 10);
  clock.ms = 1000;
  fail(new Error("later"));
  fail(new Error("once more"));
  assert.deepEqual(logged.slice(10).map(({ fields }) => fields), [
    { reason: "later", unsaid: 16 },
    { reason: "once more" },
  ]);
});
