/**
 * Attacks by traffic, each by its name, and where they are made. They run in processes of their own
 * ({@link Attacker}), so that they do not take the honest client's time. The table of SECURITY.md
 * names every one of them; a test compares.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { ROOT } from "../module_graph.ts";
import { type Attack, type AttackTarget, type Clock, leaveAll, pause } from "./attack.ts";
import { ENTRANCE_ATTACKS, MEMORY_ATTACKS, SOURCE_ATTACKS } from "./entrance.ts";
import { HANDSHAKE_ATTACKS } from "./handshakes.ts";
import { HTTP1_ATTACKS } from "./http1.ts";
import { HTTP2_ATTACKS } from "./http2.ts";

export type { AttackTarget } from "./attack.ts";
export { BLOCKED_ADDRESS } from "./entrance.ts";

/** All of them. */
export const ATTACKS: Readonly<Record<string, Attack>> = {
  ...HTTP2_ATTACKS,
  ...HTTP1_ATTACKS,
  ...HANDSHAKE_ATTACKS,
  ...ENTRANCE_ATTACKS,
  ...SOURCE_ATTACKS,
  ...MEMORY_ATTACKS,
};

/** The proxies that are attacked. */
export type Place = "h2c" | "http1" | "limited" | "short of memory";

const RESETS = Object.keys(HTTP2_ATTACKS).filter((name) => name.includes("reset"));

/** What is done to each. Resets are made twice: over HTTP/1.1 each costs a connection. */
export const ATTACKS_ON: Readonly<Record<Place, readonly string[]>> = {
  "h2c": Object.keys(HTTP2_ATTACKS),
  "http1": [
    ...RESETS,
    ...[HTTP1_ATTACKS, HANDSHAKE_ATTACKS, ENTRANCE_ATTACKS].flatMap((it) => Object.keys(it)),
  ],
  "limited": Object.keys(SOURCE_ATTACKS),
  "short of memory": Object.keys(MEMORY_ATTACKS),
};

/** How long attacks have to be done once, in milliseconds; many in one process share its time. */
const BEGIN_MS = 10_000;
/** How long attacks have to end, in milliseconds, and how often what they open meanwhile is closed. */
const END = { withinMs: 1000, everyMs: 10 } as const;

/** A process that attacks, one time after the other. */
export class Attacker implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #reader: ReadableStreamDefaultReader<string>;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  #output = "";

  /** Starts one that does nothing yet. */
  constructor(target: AttackTarget) {
    // An attacker has a machine of its own: what this one has goes to the proxy and to its clients.
    this.#child = new Deno.Command("nice", {
      args: [
        ...["-n", "19", Deno.execPath()],
        ...["run", "--no-check", "--no-prompt", "-A", "--config", `${ROOT}/deno.json`],
        ...[fileURLToPath(import.meta.url), JSON.stringify(target)],
      ],
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    this.#reader = this.#child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    this.#writer = this.#child.stdin.getWriter();
  }

  /** Begins with these; resolves when each was done once, or had its time. */
  async begin(names: readonly string[]): Promise<void> {
    await this.#say(names);
    await this.#hear("started");
  }

  /** Ends them; how often each was done. */
  async end(): Promise<readonly number[]> {
    await this.#say([]);
    return JSON.parse(await this.#hear("done"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    const ending = [this.#writer.close(), this.#reader.cancel(), this.#child.status];
    await Promise.allSettled(ending);
  }

  async #say(names: readonly string[]): Promise<void> {
    await this.#writer.write(new TextEncoder().encode(`${JSON.stringify(names)}\n`));
  }

  /** What follows this word in the line that begins with it. */
  async #hear(word: string): Promise<string> {
    for (;;) {
      const [line = "", ...rest] = this.#output.split("\n");
      if (rest.length > 0) {
        this.#output = rest.join("\n");
        if (line.startsWith(word)) return line.slice(word.length);
      }
      const { value, done } = await this.#reader.read();
      if (done) throw new Error(`an attacker ended early: ${this.#output}`);
      this.#output += value;
    }
  }
}

/** One attack that runs. */
interface Running {
  readonly clock: Clock;
  readonly ended: Promise<void>;
}

/** Starts them and waits until each was done once, or had its time. */
async function beginAll(target: AttackTarget, names: readonly string[]): Promise<Running[]> {
  const running = names.map((name) => {
    const attack = ATTACKS[name];
    if (attack === undefined) throw new Error(`no attack "${name}"`);
    const clock = { stopped: false, done: 0 };
    return { clock, ended: attack(target, clock) };
  });
  const until = performance.now() + BEGIN_MS / names.length;
  while (running.some(({ clock }) => clock.done === 0) && performance.now() < until) await pause(5);
  return running;
}

/** Ends them; how often each was done. */
async function endAll(running: readonly Running[]): Promise<readonly number[]> {
  const done = running.map(({ clock }) => clock.done);
  for (const { clock } of running) clock.stopped = true;
  let hasEnded = false;
  const all = Promise.allSettled(running.map(({ ended }) => ended)).then(() => hasEnded = true);
  const until = performance.now() + END.withinMs;
  while (!hasEnded && performance.now() < until) {
    leaveAll();
    await Promise.race([all, pause(END.everyMs)]);
  }
  leaveAll();
  return done;
}

/** Does what it is told, a line of names at a time, or none to end those of the last. */
async function obey(target: AttackTarget): Promise<void> {
  const say = (line: string) => Deno.stdout.write(new TextEncoder().encode(`${line}\n`));
  let running: readonly Running[] = [];
  let text = "";
  for await (const chunk of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
    const lines = (text + chunk).split("\n");
    text = lines.pop() ?? "";
    for (const line of lines) {
      const names: string[] = JSON.parse(line);
      if (names.length === 0) await say(`done ${JSON.stringify(await endAll(running))}`);
      else {
        running = await beginAll(target, names);
        await say("started");
      }
    }
  }
}

if (import.meta.main) {
  await obey(JSON.parse(Deno.args[0] ?? ""));
  Deno.exit(0);
}
