/// <reference lib="deno.worker" />
/**
 * The server of one address. It runs with no permission but the network: whatever a hostile datagram
 * makes it do, there are no files, no environment and no subprocess to reach. Everything it knows
 * comes in messages.
 *
 * @module
 */
import { describeError } from "../observe/mod.ts";
import { installLastResort, startLagProbe, VitalSigns } from "../workers/mod.ts";
import { ZoneTable } from "../zones/mod.ts";
import { AddressServer } from "./address_server.ts";
import { Asks } from "./asks.ts";
import { DnsCounters } from "./counters.ts";
import type { FromWorker, Numbered, Reply, StartMessage } from "./messages.ts";
import type { Changeable } from "./settings.ts";
import { ZoneAssembly } from "./zone_slices.ts";

/** Faults that are told in a second; a mistake that any question meets must not flood the log. */
const MAX_FAULTS = 10;

// Connections that end in a RST make errors, whose traces cost more than the connection.
Error.stackTraceLimit = 0;

installLastResort(self, {
  log: (record) => say({ type: "log", record }),
  now: () => performance.now(),
});

const assembly = new ZoneAssembly();
let zones = new ZoneTable();
let start: StartMessage | undefined;
let signs: VitalSigns | undefined;
let server: AddressServer | undefined;
let opening: Promise<AddressServer> | undefined;
let faults = 0;
const asks = new Asks((ask, what) => say({ type: "ask", ask, what }));

self.onmessage = ({ data: message }: MessageEvent<Numbered>) => {
  signs?.turn();
  take(message).then(
    (reply) => say({ type: "reply", id: message.id, ...reply && { reply } }),
    (error) => say({ type: "reply", id: message.id, error: describeError(error) }),
  );
};

async function take(message: Numbered): Promise<Reply | undefined> {
  switch (message.type) {
    case "start":
      start = message;
      signs = new VitalSigns(message.vitalSigns);
      signs.turn();
      startLagProbe(() => {
        faults = 0;
        signs?.turn();
      });
      return;
    case "slice":
      zones = assembly.take(zones, message.slice);
      if (server !== undefined) server.zones = zones;
      return;
    case "serve":
      return { ports: await serve(message) };
    case "reconfigure":
      return await reconfigure(message.settings);
    case "status":
      return { status: server?.status ?? {} };
    case "tls":
      server?.setTls(message.tls);
      return;
    case "told":
      asks.take(message.ask, message.told);
      return;
    case "drain":
      await server?.drain(message.timeoutMs);
      return;
  }
}

/** Also one that is about to serve, or whose zones are still coming. */
async function reconfigure(settings: Changeable): Promise<undefined> {
  if (start !== undefined) {
    const { forward: _forward, services: _services, ...rest } = start.settings;
    start = { ...start, settings: { ...rest, ...settings } };
  }
  await (await opening)?.reconfigure(settings);
}

async function serve({ address, tls }: Extract<Numbered, { type: "serve" }>) {
  if (start === undefined) throw new Error("the worker was not started");
  const { settings, sockets, counters } = start;
  opening = AddressServer.open({
    ...{ address, settings, sockets, zones, counters: new DnsCounters(counters) },
    ...tls && { tls },
    onFault: (error) => {
      if (++faults > MAX_FAULTS) return;
      const fields = { reason: describeError(error) };
      say({ type: "log", record: { level: "error", message: "a question got no answer", fields } });
    },
    ask: (what) => asks.ask(what),
    onFailure: (error) => say({ type: "failed", reason: describeError(error) }),
  });
  server = await opening;
  const { port, tlsPort } = server;
  return { port, tlsPort };
}

function say(message: FromWorker): void {
  self.postMessage(message);
}
