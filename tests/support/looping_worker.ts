/// <reference lib="deno.worker" />
/**
 * A data-plane worker whose thread goes into an endless loop when the route `loop.test` is added.
 *
 * @module
 */
import "../../lib/workers/entry.ts";
import type { ToWorker } from "../../lib/plane/mod.ts";

const answer = self.onmessage as ((message: MessageEvent<ToWorker>) => void) | null;

self.onmessage = (message: MessageEvent<ToWorker>) => {
  const { data } = message;
  const loops = data.type === "apply" &&
    data.changes.some((it) =>
      it.kind === "routes" && it.set.some(({ hostname }) => hostname === "loop.test")
    );
  if (loops && self.name.endsWith("-0")) { for (;;); }
  answer?.(message);
};
