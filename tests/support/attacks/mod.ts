/**
 * Attacks by traffic, each by its name, and where they are made. They run in processes of their own
 * ({@link startAttacks}), so that they do not take the honest client's time. The table of SECURITY.md
 * names every one of them; a test compares.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { ROOT } from "../module_graph.ts";
import { type Attack, type AttackTarget, pause } from "./attack.ts";
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

/** Attacks that run in another process. */
export interface RunningAttacks extends AsyncDisposable {
  /** Ends them; how often each was done. */
  stop(): Promise<readonly number[]>;
}

/** How long attacks have to be done once, in milliseconds; many in one process share its time. */
const BEGIN_MS = 10_000;

/** Starts attacks in one process of their own and waits until each was done once, or had its time. */
export async function startAttacks(
  names: readonly string[],
  target: AttackTarget,
): Promise<RunningAttacks> {
  // An attacker has a machine of its own: what this one has goes to the proxy and to its clients.
  const child = new Deno.Command("nice", {
    args: [
      ...["-n", "19", Deno.execPath()],
      ...["run", "--no-check", "--no-prompt", "-A", "--config", `${ROOT}/deno.json`],
      ...[fileURLToPath(import.meta.url), JSON.stringify(target), ...names],
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
      if (done) throw new Error(`attacks ${names} ended early: ${output}`);
      output += value;
    }
  };
  await readUntil(/started/);
  let stopped = false;
  return {
    async stop() {
      stopped = true;
      await child.stdin.close();
      const [, done = ""] = await readUntil(/done (\[.*\])/);
      await reader.cancel();
      await child.status;
      return JSON.parse(done);
    },
    async [Symbol.asyncDispose]() {
      if (stopped) return;
      child.kill("SIGKILL");
      await Promise.allSettled([child.stdin.close(), reader.cancel(), child.status]);
    },
  };
}

if (import.meta.main) {
  const [target = "", ...names] = Deno.args;
  const running = names.map((name) => {
    const attack = ATTACKS[name];
    if (attack === undefined) throw new Error(`no attack "${name}"`);
    const clock = { stopped: false, done: 0 };
    return { clock, ended: attack(JSON.parse(target), clock) };
  });
  const until = performance.now() + BEGIN_MS / names.length;
  while (running.some(({ clock }) => clock.done === 0) && performance.now() < until) await pause(5);
  await Deno.stdout.write(new TextEncoder().encode("started\n"));
  for await (const _ of Deno.stdin.readable);
  for (const { clock } of running) clock.stopped = true;
  // One that is not read any more does not end by itself.
  await Promise.race([Promise.all(running.map(({ ended }) => ended)), pause(500)]);
  const done = running.map(({ clock }) => clock.done);
  await Deno.stdout.write(new TextEncoder().encode(`done ${JSON.stringify(done)}\n`));
  Deno.exit(0);
}
