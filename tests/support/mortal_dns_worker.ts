/// <reference lib="deno.worker" />
/**
 * The server of an address that dies when it is told of a zone called `die`, and refuses one that is
 * called `refuse`.
 *
 * @module
 */
import "../../lib/dns_server/entry.ts";
import type { Numbered } from "../../lib/dns_server/messages.ts";

const take = self.onmessage as ((message: MessageEvent<Numbered>) => void) | null;

self.onmessage = (message: MessageEvent<Numbered>) => {
  const { data } = message;
  const change = data.type === "slice" && data.slice.kind === "change"
    ? data.slice.change
    : undefined;
  const origin = change?.kind === "remove" ? change.origin : "";
  if (origin === "\x03die\0") {
    // Not even the last resort hears of it.
    Event.prototype.preventDefault = () => {};
    setTimeout(() => {
      throw new Error("told to die");
    }, 0);
  }
  if (origin === "\x06refuse\0") {
    self.postMessage({ type: "reply", id: data.id, error: "refused by the test" });
    return;
  }
  take?.call(self, message);
};
