import assert from "node:assert/strict";
import { MutationQueue } from "../../../lib/queue/mod.ts";

Deno.test("MutationQueue.run() runs one after the other, whatever came of the one before", async () => {
  const queue = new MutationQueue();
  const log: string[] = [];
  const step = (name: string, fails = false) =>
    queue.run(async () => {
      log.push(`${name} begins`);
      await Promise.resolve();
      log.push(`${name} ends`);
      if (fails) throw new Error(name);
    });
  const steps = [step("a"), step("b", true), step("c")];
  const results = await Promise.allSettled(steps);
  assert.deepEqual(results.map(({ status }) => status), ["fulfilled", "rejected", "fulfilled"]);
  assert.deepEqual(log, ["a begins", "a ends", "b begins", "b ends", "c begins", "c ends"]);
});

Deno.test("MutationQueue takes 1,024 that wait, and not one more", async () => {
  const queue = new MutationQueue();
  const gate = Promise.withResolvers<void>();
  const first = queue.run(() => gate.promise);
  await Promise.resolve();
  await Promise.resolve();
  const waiting = Array.from({ length: 1024 }, () => queue.run(() => Promise.resolve()));
  await assert.rejects(queue.run(() => Promise.resolve()), { code: "busy" });
  gate.resolve();
  await Promise.all([first, ...waiting]);
  await queue.run(() => Promise.resolve());
});

Deno.test("MutationQueue.close() refuses newcomers, ends waiting, and lets what runs end", async () => {
  const queue = new MutationQueue();
  const gate = Promise.withResolvers<void>();
  let aborted = false;
  const running = queue.run(async () => {
    queue.closing.addEventListener("abort", () => aborted = true);
    await gate.promise;
    return "done";
  });
  await Promise.resolve();
  let closed = false;
  const closing = queue.close().then(() => closed = true);
  await assert.rejects(queue.run(() => Promise.resolve()), { code: "shutting_down" });
  assert.ok(aborted);
  await Promise.resolve();
  assert.equal(closed, false);
  gate.resolve();
  await closing;
  assert.equal(await running, "done");
});

Deno.test("MutationQueue.close() does not wait for a step that hangs", async () => {
  const queue = new MutationQueue();
  const gate = Promise.withResolvers<void>();
  const hanging = queue.run(() => gate.promise);
  await Promise.resolve();
  await queue.close(10);
  gate.resolve();
  await hanging;
});

Deno.test("MutationQueue.askedAt is when a step was asked for, not when its turn came", async () => {
  const queue = new MutationQueue();
  const asked = performance.now();
  const gate = Promise.withResolvers<void>();
  const first = queue.run(() => gate.promise);
  const second = queue.run(() => Promise.resolve(queue.askedAt));
  const after = performance.now();
  while (performance.now() === after);
  gate.resolve();
  await first;
  const askedAt = await second;
  assert.ok(askedAt >= asked && askedAt <= after, `${asked} ${askedAt} ${after}`);
});

Deno.test("MutationQueue.beginAnew() has the step that runs be asked for now", async () => {
  const queue = new MutationQueue();
  const [before, after] = await queue.run(async () => {
    const before = queue.askedAt;
    while (performance.now() <= before) await Promise.resolve();
    queue.beginAnew();
    return [before, queue.askedAt];
  });
  assert.ok(Number(after) > Number(before), `${before} ${after}`);
});
