import assert from "node:assert/strict";
import type { LogRecord } from "../../../lib/observe/mod.ts";
import type { Change, Snapshot } from "../../../lib/plane/mod.ts";
import { appliedWithin, ChangeFeed } from "../../../lib/workers/change_feed.ts";
import { WorkerError } from "../../../lib/workers/worker_error.ts";
import { eventually } from "../../support/deadline.ts";

const CHANGE: Change = { kind: "remove_listener", listenerId: 1 };

/** A feed to a worker whose answers the test gives, in the order of what was sent. */
function setUp({ retryMs }: { readonly retryMs: number }) {
  const sent: { kinds: string[]; answer: PromiseWithResolvers<void> }[] = [];
  const logs: LogRecord[] = [];
  const state = { snapshot: {} as Snapshot, now: 0 };
  const feed = new ChangeFeed({
    worker: 3,
    send: (changes) => {
      const answer = Promise.withResolvers<void>();
      sent.push({ kinds: changes.map(({ kind }) => kind), answer });
      return answer.promise;
    },
    snapshot: () => state.snapshot,
    log: (record) => logs.push(record),
    retryMs,
    now: () => state.now,
  });
  const answer = async (index: number) => {
    await eventually(() => sent.length > index, `what is sent as number ${index}`);
    return sent[index]?.answer as PromiseWithResolvers<void>;
  };
  return { feed, sent, logs, state, answer };
}

const refused = () => new WorkerError("refused", "the address is taken");

Deno.test("ChangeFeed sends the whole state until the worker takes it, in growing pauses", async () => {
  const { feed, sent, logs, answer } = setUp({ retryMs: 1 });
  const done = feed.catchUp();
  assert.equal(feed.catchUp(), done, "once, however often it is asked for");
  for (let i = 0; i < 3; i++) (await answer(i)).reject(refused());
  (await answer(3)).resolve();
  await done;
  assert.deepEqual(sent.map(({ kinds }) => kinds), Array(4).fill(["snapshot"]));
  assert.deepEqual(
    logs.map(({ message, fields }) => [message, fields?.worker, fields?.retryMs]),
    [1, 2, 4].map((retryMs) => ["worker refuses the state and is sent it again", 3, retryMs]),
  );
  assert.equal(feed.pending, 0);
});

Deno.test("ChangeFeed sends the state once more when it has changed on the way", async () => {
  const { feed, sent, state, answer } = setUp({ retryMs: 1 });
  const done = feed.catchUp();
  const first = await answer(0);
  state.snapshot = {} as Snapshot;
  first.resolve();
  (await answer(1)).resolve();
  await done;
  assert.equal(sent.length, 2);
});

Deno.test("ChangeFeed of a worker that is gone sends nothing more, not even after its pause", async () => {
  const { feed, sent, logs, answer } = setUp({ retryMs: 60_000 });
  const done = feed.catchUp();
  (await answer(0)).reject(refused());
  await eventually(() => logs.length === 1, "the refusal");
  feed.close();
  await assert.rejects(done, { name: "WorkerError", code: "died" });
  assert.equal(sent.length, 1);
});

Deno.test("ChangeFeed hands on what is no refusal", async () => {
  const { feed, logs, answer } = setUp({ retryMs: 1 });
  const done = feed.catchUp();
  (await answer(0)).reject(new WorkerError("died", "gone"));
  await assert.rejects(done, { code: "died" });
  assert.deepEqual(logs, []);
});

Deno.test("ChangeFeed sends a worker that is 32 changes behind the state instead, after them", async () => {
  const { feed, sent, state, answer } = setUp({ retryMs: 1 });
  const pushed = Array.from({ length: 32 }, () => feed.push([CHANGE]));
  assert.deepEqual([sent.length, feed.pending, feed.waitingMs], [32, 32, 0]);
  state.now = 700;
  assert.equal(feed.waitingMs, 700);
  const late = [feed.push([CHANGE]), feed.push([CHANGE])];
  assert.deepEqual([sent.length, feed.pending], [32, 34]);
  for (const { answer } of sent.slice()) answer.resolve();
  await Promise.all(pushed);
  (await answer(32)).resolve();
  await Promise.all(late);
  assert.deepEqual(sent[32]?.kinds, ["snapshot"]);
  assert.deepEqual([sent.length, feed.pending, feed.waitingMs], [33, 0, 0]);
});

Deno.test("appliedWithin() tells who is late, and of a refusal that comes later still", async () => {
  let late = 0;
  const within = (applied: Promise<unknown>, timeoutMs: number) =>
    appliedWithin(applied, { timeoutMs, onLateRefusal: () => late++ });
  assert.equal(await within(Promise.resolve(), 60_000), true);
  await assert.rejects(within(Promise.reject(refused()), 60_000), { code: "refused" });
  const gone = new WorkerError("died", "gone");
  assert.equal(await within(Promise.reject(gone), 60_000), true, "its successor has it");
  for (const [error, seen] of [[refused(), 1], [gone, 1]] as const) {
    const { promise, reject } = Promise.withResolvers<void>();
    assert.equal(await within(promise, 0), false);
    reject(error);
    await promise.catch(() => {});
    await Promise.resolve();
    assert.equal(late, seen, "of a refusal alone");
  }
});
