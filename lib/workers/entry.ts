/// <reference lib="deno.worker" />
/**
 * A data-plane worker. It runs with no permission but the network: whatever a hostile stream makes
 * it do, there are no files, no environment and no subprocess to reach. Everything it knows comes
 * in messages.
 *
 * @module
 */
import {
  type ConnectionEvent,
  createCounters,
  describeError,
  DescriptorBudget,
  RequestCounts,
  type RequestEvent,
} from "../observe/mod.ts";
import type { FromWorker, Reply, SessionMessage, StartMessage, ToWorker } from "../plane/mod.ts";
import { DataPlane } from "../server/mod.ts";
import { adopting, createSockets } from "../tcp/mod.ts";
import { InFlight } from "./in_flight.ts";
import { startLagProbe } from "./lag_probe.ts";
import { installLastResort } from "./last_resort.ts";
import { EventOutbox } from "./outbox.ts";
import { RemoteAdmission } from "./remote_admission.ts";
import { VitalSigns } from "./vital_signs.ts";

// Every connection that ends in a RST makes node:net build an error; its stack trace costs more
// than the connection. Messages are kept, and the control plane keeps its traces.
Error.stackTraceLimit = 0;

installLastResort(self, {
  log: (record) => reply({ type: "log", record }),
  now: () => performance.now(),
});

let signs: VitalSigns | undefined;
let plane: DataPlane | undefined;
let connections: EventOutbox<ConnectionEvent> | undefined;
let accessLog: EventOutbox<RequestEvent> | undefined;
const admission = new RemoteAdmission(reply);

self.onmessage = ({ data: message }: MessageEvent<ToWorker>) => {
  signs?.turn();
  if (message.type === "decision" || message.type === "end_session") {
    admission.receive(message);
    return;
  }
  answer(message).then(
    (value) => reply({ type: "reply", id: message.id, ...value }),
    (error) => reply({ type: "reply", id: message.id, error: describeError(error) }),
  );
};

async function answer(
  message: Exclude<ToWorker, SessionMessage>,
): Promise<Pick<Reply, "value">> {
  if (message.type === "start") {
    await start(message);
    return {};
  }
  if (plane === undefined) throw new Error("the worker was not started");
  switch (message.type) {
    case "apply":
      await plane.apply(message.changes);
      return {};
    case "close_connection":
      return { value: plane.closeConnection(message.connection) };
    case "find_connections":
      return { value: plane.findConnections(message.query, message.limit) };
    case "close_connections":
      return { value: plane.closeConnections(message.query) };
    case "live_traffic":
      return { value: plane.liveTraffic() };
    case "take_counts":
      return { value: plane.takeCounts() };
    case "ping":
      return {};
    case "drain":
      await plane.drain();
      accessLog?.flush();
      connections?.flush();
      return {};
    case "cut_all":
      plane.cutAll();
      return {};
  }
}

async function start(message: StartMessage): Promise<void> {
  signs = new VitalSigns(message.vitalSigns);
  signs.turn();
  const counters = createCounters(message.counters);
  const { batchesInFlight } = message;
  const onDrop = (count: number) => counters.add("events_dropped", count);
  const ended = connections = new EventOutbox<ConnectionEvent>({
    batchesInFlight,
    cell: InFlight.connections,
    send: (events) => reply({ type: "events", events }),
    onDrop,
  });
  const answered = accessLog = new EventOutbox<RequestEvent>({
    batchesInFlight,
    cell: InFlight.requests,
    send: (events) => reply({ type: "access_log", events }),
    onDrop,
  });
  startLagProbe((seconds) => {
    counters.observe("event_loop_lag", seconds);
    signs?.turn();
  });
  plane = new DataPlane({
    worker: message.index,
    idPrefix: message.idPrefix,
    sockets: adopting(createSockets(message.sockets), message.inherited),
    counters,
    requests: new RequestCounts((route, block) => reply({ type: "requests", route, block })),
    onEvent: (event) => ended.push(event),
    onRequest: (event) => answered.push(event),
    log: (record) => reply({ type: "log", record }),
    admission,
    descriptors: new DescriptorBudget(message.descriptors).of(message.index),
  }, message.snapshot);
  await plane.apply([{ kind: "snapshot", snapshot: message.snapshot }]);
}

function reply(message: FromWorker): void {
  self.postMessage(message);
}
