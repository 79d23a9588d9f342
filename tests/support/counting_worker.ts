/// <reference lib="deno.worker" />
/**
 * A worker that counts a batch of connections and one of requests as sent when it starts, sends
 * either when it is told to close a connection of that name, and tells in a log line after each
 * message how many of each are still counted. When it is pinged it asks for a session first.
 *
 * @module
 */
import type { ToWorker } from "../../lib/plane/mod.ts";

let cells: Int32Array = new Int32Array(2);

self.onmessage = ({ data }: MessageEvent<ToWorker>) => {
  if (!("id" in data)) return;
  const { id } = data;
  if (data.type === "start") {
    cells = new Int32Array(data.batchesInFlight);
    Atomics.add(cells, 0, 1);
    Atomics.add(cells, 1, 1);
    self.postMessage({ type: "reply", id });
    return;
  }
  if (data.type === "close_connection") {
    if (data.connection !== "") self.postMessage({ type: data.connection, events: [] });
    const fields = { connections: Atomics.load(cells, 0), requests: Atomics.load(cells, 1) };
    self.postMessage({ type: "log", record: { level: "info", message: "in flight", fields } });
    self.postMessage({ type: "reply", id, value: false });
    return;
  }
  if (data.type === "ping") {
    const request = { id: "0-1", orgId: "o", userId: "u", connectId: "c", notAfter: 0 };
    self.postMessage({ type: "admit", request });
    self.postMessage({ type: "reply", id });
  }
};
