/// <reference lib="deno.worker" />
/**
 * The thread of the history. It may read and write the folder of its database and nothing else, and
 * waits for the disk so that nobody else has to.
 *
 * @module
 */
import type { FromHistory, ToHistory } from "./messages.ts";
import { HistoryStore } from "./store.ts";

let store: HistoryStore | undefined;

self.onmessage = ({ data }: MessageEvent<ToHistory>) => {
  let answer: FromHistory;
  try {
    answer = { id: data.id, value: answerTo(data) };
  } catch (error) {
    answer = { id: data.id, error: error instanceof Error ? error.message : String(error) };
  }
  self.postMessage(answer);
  if (data.type === "close") self.close();
};

function answerTo(message: ToHistory): unknown {
  if (message.type === "open") {
    const opened = HistoryStore.open(message.settings);
    store = opened.store;
    return opened.aside;
  }
  if (message.type === "close") return store?.[Symbol.dispose]();
  if (store === undefined) throw new Error("the history was not opened");
  switch (message.type) {
    case "add":
      return store.add(message.connections, Date.now());
    case "find":
      return store.find(message.query);
    case "visits":
      return store.visits(message.sinceMs, message);
  }
}
