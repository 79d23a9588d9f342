import assert from "node:assert/strict";
import type { LogRecord } from "../../../lib/observe/mod.ts";
import { BlockedLog } from "../../../lib/server/blocked_log.ts";

function create() {
  const logs: LogRecord[] = [];
  const timers: (() => void)[] = [];
  let stopped = 0;
  const clock = {
    now: () => 0,
    wallNow: () => 0,
    every(_ms: number, fn: () => void) {
      timers.push(fn);
      return () => void stopped++;
    },
  };
  const log = new BlockedLog({ clock, log: (record) => void logs.push(record) });
  const block = (count: number, now: number, rule = "ip 192.0.2.1 (#1)") => {
    let told = 0;
    for (let i = 0; i < count; i++) if (log.tells(":443", rule, now)) told++;
    return told;
  };
  return { log, logs, timers, block, stopped: () => stopped };
}

Deno.test("BlockedLog.tells() of 100 in a second, and of 100 again in the next", () => {
  const { block, timers } = create();
  assert.equal(block(100, 1000), 100);
  assert.equal(timers.length, 0, "nothing is left to tell");
  assert.equal(block(50, 1999), 0);
  assert.equal(block(101, 2000), 100);
});

Deno.test("BlockedLog tells of all others once a second, by listener and rule, and rests when there are none", () => {
  const { block, logs, timers, stopped } = create();
  block(110, 0);
  block(7, 500, "cidr 10.0.0.0/8 (#2)");
  assert.equal(timers.length, 1);
  timers[0]?.();
  assert.deepEqual(logs.map(({ level, message, fields }) => [level, message, fields]), [
    ["info", "more connections were blocked", {
      listener: ":443",
      rule: "ip 192.0.2.1 (#1)",
      count: 10,
    }],
    ["info", "more connections were blocked", {
      listener: ":443",
      rule: "cidr 10.0.0.0/8 (#2)",
      count: 7,
    }],
  ]);
  assert.equal(stopped(), 1);
  block(101, 1500);
  assert.equal(timers.length, 2, "it begins anew");
});

Deno.test("BlockedLog.flush() tells what is left, once", () => {
  const { log, block, logs } = create();
  log.flush();
  block(105, 0);
  log.flush();
  log.flush();
  assert.deepEqual(logs.map(({ fields }) => fields?.count), [5]);
});
