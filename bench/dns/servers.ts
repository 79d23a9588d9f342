/**
 * The servers that `main.ts` compares: each from one zone file, or as the forwarder of another one.
 *
 * @module
 */
import { join } from "node:path";
import { commandPath } from "../../tests/support/commands.ts";
import { knotConfig, nsdConfig } from "../../tests/support/dns_peers.ts";

/** What is asked over, and whose names are asked for. */
export const MODES = ["udp", "tcp", "dot", "forward"] as const;
export type Mode = typeof MODES[number];

/** Where a server is to be. */
export interface Place {
  /** Has the zone in `zone`, a certificate in `cert.pem` and its key in `key.pem`. */
  readonly folder: string;
  readonly port: number;
  readonly mode: Mode;
  /** Of the server that is the authority, if {@link mode} is `forward`. */
  readonly upstream: number;
}

/** How a server is started. */
export interface Start {
  readonly command: string;
  readonly args: readonly string[];
}

/** How to start a server; undefined: it is not installed, or does not do that. */
export type Prepare = (place: Place) => Promise<Start | undefined>;

export const ORIGIN = "bench.example.";

/** By their names, ours first. */
export const SERVERS: Readonly<Record<string, Prepare>> = { mcns, nsd, knotd, coredns, unbound };

function mcns({ folder, port, mode, upstream }: Place): Promise<Start> {
  const root = join(import.meta.dirname ?? ".", "../..");
  const flags = ["--v8-flags=--min-semi-space-size=16", "--no-check"];
  const script = join(root, "bench/dns/server.ts");
  const args = ["run", "-A", ...flags, "--config", join(root, "deno.json"), script];
  const which = [folder, ORIGIN, `${port}`, mode, `${upstream}`];
  return Promise.resolve({ command: Deno.execPath(), args: [...args, ...which] });
}

async function nsd({ folder, port, mode }: Place): Promise<Start | undefined> {
  if (mode === "forward" || commandPath("nsd") === undefined) return undefined;
  const file = join(folder, "nsd.conf");
  const zones = `zone:\n  name: ${ORIGIN}\n  zonefile: zone\n`;
  const tls = `  tls-port: ${port}\n  tls-service-key: ${folder}/key.pem\n` +
    `  tls-service-pem: ${folder}/cert.pem\n`;
  const server = "  server-count: 1\n  rrl-ratelimit: 0\n  tcp-count: 1000\n";
  const options = mode === "dot" ? server + tls : server;
  await Deno.writeTextFile(file, nsdConfig({ folder, port }, zones, options));
  return { command: "nsd", args: ["-d", "-c", file] };
}

async function knotd({ folder, port, mode }: Place): Promise<Start | undefined> {
  if (mode === "forward" || mode === "dot" || commandPath("knotd") === undefined) return undefined;
  const file = join(folder, "knot.conf");
  const zones = `zone:
  - domain: ${ORIGIN}
    storage: ${folder}
    file: zone
    semantic-checks: off
    zonefile-sync: -1
    journal-content: none
`;
  const server = "    udp-workers: 1\n    tcp-workers: 1\n    background-workers: 1\n";
  await Deno.writeTextFile(file, knotConfig({ folder, port }, zones, server));
  return { command: "knotd", args: ["-c", file] };
}

async function coredns({ folder, port, mode, upstream }: Place): Promise<Start | undefined> {
  if (commandPath("coredns") === undefined) return undefined;
  const file = join(folder, "Corefile");
  const scheme = mode === "dot" ? "tls://" : "";
  const what = mode === "forward"
    ? `forward . 127.0.0.1:${upstream}\n  cache 3600`
    : `file ${folder}/zone`;
  const tls = mode === "dot" ? `\n  tls ${folder}/cert.pem ${folder}/key.pem` : "";
  const name = mode === "forward" ? "." : ORIGIN;
  await Deno.writeTextFile(
    file,
    `${scheme}${name}:${port} {\n  bind 127.0.0.1\n  ${what}${tls}\n}\n`,
  );
  return { command: "env", args: ["GOMAXPROCS=1", "coredns", "-conf", file] };
}

async function unbound({ folder, port, mode, upstream }: Place): Promise<Start | undefined> {
  if (mode !== "forward" || commandPath("unbound") === undefined) return undefined;
  const file = join(folder, "unbound.conf");
  await Deno.writeTextFile(
    file,
    `server:
  interface: 127.0.0.1
  port: ${port}
  username: ""
  chroot: ""
  directory: "${folder}"
  pidfile: "${folder}/unbound.pid"
  num-threads: 1
  module-config: "iterator"
  do-not-query-localhost: no
  access-control: 127.0.0.0/8 allow
forward-zone:
  name: "."
  forward-addr: 127.0.0.1@${upstream}
remote-control:
  control-enable: no
`,
  );
  return { command: "unbound", args: ["-d", "-c", file] };
}
