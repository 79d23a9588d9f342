/// <reference lib="deno.worker" />
/**
 * A data-plane worker that falls ill when it is told to close a connection of one of these names:
 * `hang 500` keeps its thread busy for 500 ms, `block 500` takes the processor away from it as a
 * starved machine does, `throw` fails where nobody catches it, `die` where not even the last resort hears of it, `refuse` makes it refuse the change
 * that comes next, `say {…}` sends a message of its own, `flood 5` so many of them at once.
 *
 * @module
 */
import "../../lib/workers/entry.ts";
import type { ToWorker } from "../../lib/plane/mod.ts";

let refuseNext = false;

const answer = self.onmessage as ((message: MessageEvent<ToWorker>) => void) | null;

self.onmessage = (message: MessageEvent<ToWorker>) => {
  if ("type" in message.data && message.data.type === "close_connection") {
    const [trouble, ms] = message.data.connection.split(" ");
    if (trouble === "throw") setTimeout(fail, 0);
    if (trouble === "reject") Promise.resolve().then(fail);
    if (trouble === "die") {
      Event.prototype.preventDefault = () => {};
      setTimeout(fail, 0);
    }
    if (trouble === "hang") spinFor(Number(ms));
    if (trouble === "block") {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Number(ms));
    }
    if (trouble === "refuse") refuseNext = true;
    if (trouble === "say") self.postMessage(JSON.parse(message.data.connection.slice(4)));
    if (trouble === "flood") {
      for (let i = 0; i < Number(ms); i++) self.postMessage({ type: "leave", session: "x" });
    }
  }
  if ("type" in message.data && message.data.type === "apply" && refuseNext) {
    refuseNext = false;
    const { id } = message.data;
    self.postMessage({ type: "reply", id, error: "refused by the test" });
    return;
  }
  answer?.(message);
};

function fail(): never {
  throw new Error("thrown by the test");
}

function spinFor(ms: number): void {
  const until = performance.now() + ms;
  let now = until - ms;
  while (now < until) now = performance.now();
}
