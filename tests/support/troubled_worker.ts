/// <reference lib="deno.worker" />
/**
 * A data-plane worker that falls ill when it is told to close a connection of one of these names:
 * `hang 500` blocks its thread for 500 ms, `throw` fails where nobody catches it.
 *
 * @module
 */
import "../../lib/workers/entry.ts";
import type { ToWorker } from "../../lib/workers/messages.ts";

const answer = self.onmessage as ((message: MessageEvent<ToWorker>) => void) | null;

self.onmessage = (message: MessageEvent<ToWorker>) => {
  if ("type" in message.data && message.data.type === "close_connection") {
    const [trouble, ms] = message.data.connection.split(" ");
    if (trouble === "throw") throw new Error("thrown by the test");
    if (trouble === "hang") blockFor(Number(ms));
  }
  answer?.(message);
};

function blockFor(ms: number): void {
  const until = performance.now() + ms;
  let now = until - ms;
  while (now < until) now = performance.now();
}
