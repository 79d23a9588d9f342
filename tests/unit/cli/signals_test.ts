import assert from "node:assert/strict";
import { Signals } from "../../../lib/cli/signals.ts";

/** Signals that a test sends. */
function source() {
  const listeners = new Map<Deno.Signal, () => void>();
  return {
    addSignalListener: (signal: Deno.Signal, listener: () => void) =>
      void listeners.set(signal, listener),
    removeSignalListener: (signal: Deno.Signal) => void listeners.delete(signal),
    send: (signal: Deno.Signal) => listeners.get(signal)?.(),
    listeners,
  };
}

/** A reload that ends when told to. */
function reloads() {
  const running: PromiseWithResolvers<void>[] = [];
  return {
    running,
    reload() {
      const run = Promise.withResolvers<void>();
      running.push(run);
      return run.promise;
    },
  };
}

const turn = () => new Promise((resolve) => setTimeout(resolve));

Deno.test("Signals tells the first request to stop from the second, of either kind", async () => {
  const { send, ...rest } = source();
  using signals = new Signals({ ...rest });
  send("SIGINT");
  assert.equal(await signals.stop, "SIGINT");
  let again = false;
  signals.stopAgain.then(() => again = true);
  await turn();
  assert.equal(again, false);
  send("SIGTERM");
  await signals.stopAgain;
});

Deno.test("Signals keeps a SIGHUP that comes before there is anything to reload", async () => {
  const { send, ...rest } = source();
  using signals = new Signals({ ...rest });
  send("SIGHUP");
  const { running, reload } = reloads();
  signals.onReload(reload);
  assert.equal(running.length, 1);
  running[0]?.resolve();
  await turn();
  assert.equal(running.length, 1);
});

Deno.test("Signals makes one reload of all the SIGHUPs that come during another", async () => {
  const { send, ...rest } = source();
  using signals = new Signals({ ...rest });
  const { running, reload } = reloads();
  signals.onReload(reload);
  for (let i = 0; i < 1000; i++) send("SIGHUP");
  assert.equal(running.length, 1);
  running[0]?.resolve();
  await turn();
  assert.equal(running.length, 2);
  running[1]?.resolve();
  await turn();
  assert.equal(running.length, 2);
});

Deno.test("Signals stops listening when disposed", () => {
  const from = source();
  new Signals(from)[Symbol.dispose]();
  assert.equal(from.listeners.size, 0);
});
