import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import type { Socket } from "node:net";
import { BufferPool, Deadlines, Relay } from "../../../lib/relay/mod.ts";

/** As much of a socket as {@link Relay} uses; it counts instead of sending. */
class FakeClient extends EventEmitter {
  destroyed = false;
  readableEnded = false;
  #paused = true;
  isPaused = () => this.#paused;
  pause = () => void (this.#paused = true);
  resume = () => void (this.#paused = false);
  setNoDelay = () => {};
  end = () => {};
  write = () => true;
  destroy = () => {};
  resetAndDestroy = () => {
    this.destroyed = true;
    this.emit("close");
  };
}

/** A backend that neither takes nor sends anything. */
class SilentBackend {
  readonly #closed = Promise.withResolvers<never>();
  write = () => this.#closed.promise;
  read = () => this.#closed.promise;
  setNoDelay = () => {};
  closeWrite = () => Promise.resolve();
  close = () => this.#closed.reject(new Deno.errors.BadResource());
}

function start() {
  const client = new FakeClient();
  const relay = new Relay(
    client as unknown as Socket,
    new SilentBackend() as unknown as Deno.TcpConn,
    { idle: new Deadlines(60_000), buffers: new BufferPool() },
  );
  return { client, relay, ended: relay.run(new Uint8Array(1)) };
}

/** Sends pieces until the relay stops reading; how many it took. */
function sendUntilPaused(client: FakeClient, piece: Uint8Array): number {
  let sent = 0;
  while (!client.isPaused() && sent < 1_000_000) {
    client.emit("data", piece);
    sent++;
  }
  return sent;
}

Deno.test("Relay stops reading when the backend takes nothing, whatever the size of the reads", async () => {
  for (const [size, most] of [[1, 256], [1000, 90], [64 * 1024, 3]] as const) {
    const { client, relay, ended } = start();
    assert(sendUntilPaused(client, new Uint8Array(size)) <= most, `reads of ${size} octets`);
    relay.cut("shutdown");
    assert.equal(await ended, "shutdown");
  }
});

Deno.test("Relay calls a client that left before it began a client_reset", async () => {
  const client = new FakeClient();
  client.destroyed = true;
  const relay = new Relay(
    client as unknown as Socket,
    new SilentBackend() as unknown as Deno.TcpConn,
    { idle: new Deadlines(60_000), buffers: new BufferPool() },
  );
  assert.equal(await relay.run(new Uint8Array(1)), "client_reset");
  assert.equal(relay.bytesIn, 0);
});
