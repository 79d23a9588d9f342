import assert from "node:assert/strict";
import { connectWith } from "../../../lib/relay/mod.ts";
import type { DialHandler, Sockets } from "../../../lib/tcp/mod.ts";
import { FakeStream } from "../../support/fake_stream.ts";

/** Sockets that connect when a test says so. */
function network() {
  const attempts: { handler: DialHandler; cancelled: boolean; address: string }[] = [];
  const sockets = {
    kind: "handles",
    listen: () => Promise.reject(new Error("not here")),
    connect(host: string, port: number, handler: DialHandler) {
      const attempt = { handler, cancelled: false, address: `${host}:${port}` };
      attempts.push(attempt);
      return { cancel: () => void (attempt.cancelled = true) };
    },
  } satisfies Sockets;
  return { attempts, connect: connectWith(sockets) };
}

/** Counts who listens. */
class CountingSignal extends EventTarget {
  listeners = 0;
  override addEventListener(...args: Parameters<EventTarget["addEventListener"]>) {
    this.listeners++;
    super.addEventListener(...args);
  }
}

const hostname = "192.0.2.1";

Deno.test("connectWith() gives the stream, or why there is none", async () => {
  const { attempts, connect } = network();
  const { signal } = new AbortController();
  const [first, second] = [443, 444].map((port) => connect({ hostname, port, signal }));
  const stream = new FakeStream();
  attempts[0]?.handler.onConnect(stream);
  attempts[1]?.handler.onFailure(new Error("connection refused"));
  assert.equal(await first, stream);
  await assert.rejects(second as Promise<unknown>, /connection refused/);
  assert.deepEqual(attempts.map(({ address }) => address), ["192.0.2.1:443", "192.0.2.1:444"]);
});

Deno.test("connectWith() gives up what is under way when its signal aborts, and nothing else", async () => {
  const { attempts, connect } = network();
  const [due, later] = [new AbortController(), new AbortController()];
  const done = connect({ hostname, port: 1, signal: due.signal });
  attempts[0]?.handler.onConnect(new FakeStream());
  await done;
  const late = [2, 3].map((port) => connect({ hostname, port, signal: due.signal }));
  const other = connect({ hostname, port: 4, signal: later.signal });
  due.abort(new Error("too late"));
  for (const attempt of late) await assert.rejects(attempt, /too late/);
  assert.deepEqual(attempts.map(({ cancelled }) => cancelled), [false, true, true, false]);
  attempts[3]?.handler.onConnect(new FakeStream());
  await other;
});

Deno.test("connectWith() listens once to a signal that many attempts share", async () => {
  const { attempts, connect } = network();
  const signal = new CountingSignal();
  const shared = signal as unknown as AbortSignal;
  const all = [1, 2, 3].map((port) => connect({ hostname, port, signal: shared }));
  for (const { handler } of attempts) handler.onConnect(new FakeStream());
  await Promise.all(all);
  assert.equal(signal.listeners, 1);
});
