/**
 * Name servers of others as processes of a test, each with a folder and a port of 127.0.0.1.
 *
 * @module
 */
import { join } from "node:path";
import { commandPath, runCommand } from "./commands.ts";
import { eventually } from "./deadline.ts";
import { unusedPort } from "./ports.ts";

/** A name server that runs; disposing of it ends it. */
export interface DnsPeer extends AsyncDisposable {
  readonly port: number;
  readonly folder: string;
  /** What it has written to its outputs. */
  readonly output: () => string;
  kill(signal: Deno.Signal): void;
  /** What `dig` prints, asked at it. */
  dig(...args: readonly string[]): Promise<string>;
}

/** What is started. */
export interface DnsPeerOptions {
  readonly command: string;
  readonly files: (place: PeerPlace) => Readonly<Record<string, string>>;
  readonly args: (place: PeerPlace) => readonly string[];
  /** A question that it answers once it serves: `name TYPE`. */
  readonly question: readonly [name: string, type: string];
}

/** Where a peer is. */
export interface PeerPlace {
  readonly folder: string;
  readonly port: number;
}

/**
 * A configuration of NSD that keeps everything in its folder: also the database, which versions before
 * 4.8 otherwise share between all that run.
 */
export function nsdConfig({ folder, port }: PeerPlace, zones: string, server = ""): string {
  return `server:
  ip-address: 127.0.0.1@${port}
  username: ""
  zonesdir: "${folder}"
  pidfile: "${folder}/pid"
  xfrdfile: "${folder}/xfrd"
  xfrdir: "${folder}"
  database: ""
  zonelistfile: "${folder}/list"
  logfile: "${folder}/log"
${server}remote-control:
  control-enable: no
${zones}`;
}

/** A configuration of Knot DNS that keeps everything in its folder. */
export function knotConfig({ folder, port }: PeerPlace, rest: string, server = ""): string {
  return `server:
    rundir: ${folder}
    listen: 127.0.0.1@${port}
${server}database:
    storage: ${folder}
${rest}`;
}

/** A configuration of BIND that keeps everything in its folder, and opens no channel of control. */
export function namedConfig({ folder, port }: PeerPlace, rest: string, options = ""): string {
  return `options {
  directory "${folder}";
  listen-on port ${port} { 127.0.0.1; };
  listen-on-v6 { none; };
  pid-file "${folder}/pid";
  session-keyfile "${folder}/session";
  recursion no;
  notify no;
${options}};
controls { };
${rest}`;
}

/** Starts a name server, and waits until it answers. */
export async function startDnsPeer(options: DnsPeerOptions): Promise<DnsPeer> {
  const { command, files, args, question } = options;
  const folder = await Deno.makeTempDir();
  const place = { folder, port: await unusedPort() };
  for (const [name, text] of Object.entries(files(place))) {
    await Deno.writeTextFile(join(folder, name), text);
  }
  const child = new Deno.Command(commandPath(command) ?? command, {
    args: [...args(place)],
    ...{ stdin: "null", stdout: "piped", stderr: "piped" },
  }).spawn();
  let output = "";
  const read = async (stream: ReadableStream<Uint8Array>) => {
    for await (const chunk of stream) output += new TextDecoder().decode(chunk);
  };
  const reading = Promise.all([read(child.stdout), read(child.stderr)]);
  const at = ["@127.0.0.1", "-p", String(place.port)];
  const peer: DnsPeer = {
    ...place,
    output: () => output,
    kill: (signal) => child.kill(signal),
    dig: async (...args) => (await runCommand("dig", [...at, ...args])).stdout,
    async [Symbol.asyncDispose]() {
      try {
        child.kill("SIGKILL");
      } catch {
        // It has ended by itself.
      }
      await child.status;
      await reading;
      await Deno.remove(folder, { recursive: true });
    },
  };
  const isReady = async () =>
    (await peer.dig("+time=1", "+tries=1", ...question)).includes("status: NOERROR");
  try {
    await eventually(isReady, command);
  } catch (error) {
    await peer[Symbol.asyncDispose]();
    throw new Error(`${command} did not start: ${output}`, { cause: error });
  }
  return peer;
}
