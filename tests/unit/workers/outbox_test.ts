import assert from "node:assert/strict";
import { EventOutbox } from "../../../lib/workers/outbox.ts";

/** An outbox that sends to an array, of which nothing is taken until a test does. */
function outbox() {
  const sent: number[][] = [];
  const dropped: number[] = [];
  const batchesInFlight = new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT);
  const events = new EventOutbox<number>({
    send: (batch) => sent.push([...batch]),
    onDrop: (count) => dropped.push(count),
    batchesInFlight,
    cell: 1,
  });
  const inFlight = new Int32Array(batchesInFlight);
  return { events, sent, dropped, inFlight };
}

Deno.test("EventOutbox sends what has gathered, in order, and nothing when there is nothing", () => {
  const { events, sent, inFlight } = outbox();
  events.flush();
  events.push(1);
  events.push(2);
  events.flush();
  events.flush();
  assert.deepEqual(sent, [[1, 2]]);
  assert.deepEqual([...inFlight], [0, 1]);
});

Deno.test("EventOutbox sends by itself after a short while", async () => {
  const { events, sent } = outbox();
  events.push(1);
  while (sent.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.deepEqual(sent, [[1]]);
});

Deno.test("EventOutbox sends a full batch at once", () => {
  const { events, sent } = outbox();
  for (let i = 0; i < 257; i++) events.push(i);
  assert.equal(sent.length, 1);
  assert.equal(sent[0]?.length, 256);
  events.flush();
  assert.deepEqual(sent[1], [256]);
});

Deno.test("EventOutbox drops and counts what nobody takes, and goes on when somebody does", () => {
  const { events, sent, dropped, inFlight } = outbox();
  for (let i = 0; i < 64 * 256; i++) events.push(i);
  assert.equal(sent.length, 64);
  for (let i = 0; i < 300; i++) events.push(i);
  events.flush();
  assert.equal(sent.length, 64);
  assert.deepEqual(dropped, [256, 44]);
  Atomics.sub(inFlight, 1, 1);
  events.push(7);
  events.flush();
  assert.deepEqual(sent.at(-1), [7]);
});
