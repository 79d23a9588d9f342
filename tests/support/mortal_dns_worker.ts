/// <reference lib="deno.worker" />
/**
 * The server of an address that dies when it is told of a zone called `die`, refuses one that is called
 * `refuse`, asks for what no worker asks for when it is called `lie`, and for more than any at `beg`.
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
  if (origin === "\x03lie\0") {
    self.postMessage({ type: "ask", ask: 1, what: { kind: "message", octets: "all", host: "h" } });
  }
  if (origin === "\x03beg\0") {
    const what = { kind: "journal", origin, serial: 1 };
    for (let ask = 0; ask < 300; ask++) self.postMessage({ type: "ask", ask, what });
  }
  if (origin === "\x06refuse\0") {
    self.postMessage({ type: "reply", id: data.id, error: "refused by the test" });
    return;
  }
  take?.call(self, message);
};
