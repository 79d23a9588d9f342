import assert from "node:assert/strict";
import { BrokenWatch, type Clock, Deadlines, Relay } from "../../../lib/relay/mod.ts";
import { StreamError } from "../../../lib/tcp/mod.ts";
import { FakeTimers } from "../../support/fake_timers.ts";
import { FakeStream } from "../../support/fake_stream.ts";

/** Runs what is to be done every so often when a test says so. */
class ManualClock implements Clock {
  readonly ticks = new Set<() => void>();
  now = () => 0;
  wallNow = () => 0;
  every(_ms: number, fn: () => void) {
    this.ticks.add(fn);
    return () => void this.ticks.delete(fn);
  }
  tick() {
    for (const fn of [...this.ticks]) fn();
  }
}

function start({ stalled = false } = {}) {
  const client = new FakeStream();
  const backend = new FakeStream();
  backend.stalled = stalled;
  const clock = new ManualClock();
  const watch = new BrokenWatch(clock);
  const idle = new Deadlines(60_000);
  const relay = new Relay(client, backend, { idle, watch });
  return { client, backend, clock, watch, idle, relay, ended: relay.run(Uint8Array.of(1)) };
}

const reset = new StreamError("ECONNRESET", "read ECONNRESET");
const brokenPipe = new StreamError("EPIPE", "write EPIPE");

/** Sends pieces until the relay stops reading; how many it took. */
function sendUntilPaused(client: FakeStream, piece: Uint8Array): number {
  let sent = 0;
  while (client.reading && sent < 1_000_000) {
    client.sendBytes(piece);
    sent++;
  }
  return sent;
}

Deno.test("Relay stops reading when the backend takes nothing, whatever the size of the reads", async () => {
  for (const [size, most] of [[1, 256], [1000, 90], [64 * 1024, 3]] as const) {
    const { client, backend, relay, ended } = start({ stalled: true });
    assert(sendUntilPaused(client, new Uint8Array(size)) <= most, `reads of ${size} octets`);
    backend.drain();
    assert(client.reading, "reads again when all is taken");
    relay.cut("shutdown");
    assert.equal(await ended, "shutdown");
  }
});

Deno.test("Relay stops reading the backend when the client takes nothing", async () => {
  const { client, backend, relay, ended } = start();
  client.stalled = true;
  assert(sendUntilPaused(backend, new Uint8Array(1000)) <= 90);
  client.drain();
  assert(backend.reading);
  relay.cut("shutdown");
  await ended;
});

Deno.test("Relay calls a client that left before it began a client_reset", async () => {
  for (const leave of ["closed", "readError"] as const) {
    const client = new FakeStream();
    if (leave === "closed") client.closed = true;
    else client.readError = reset;
    const backend = new FakeStream();
    const options = { idle: new Deadlines(60_000), watch: new BrokenWatch() };
    const relay = new Relay(client, backend, options);
    assert.equal(await relay.run(new Uint8Array(1)), "client_reset");
    assert.equal(relay.bytesIn, 0);
    assert.equal(backend.ending, "reset");
  }
});

Deno.test("Relay passes each FIN on once and ends when both have come and all is taken", async () => {
  const { client, backend, ended, idle } = start();
  client.stalled = true;
  client.sendEnd();
  assert.deepEqual([backend.ends, client.ends], [1, 0]);
  backend.send(1, 2, 3);
  backend.sendEnd();
  assert.deepEqual([backend.ends, client.ends], [1, 1]);
  assert.equal(client.closed, false, "three octets are not taken yet");
  client.drain();
  assert.equal(await ended, "relayed");
  assert.deepEqual([client.ending, backend.ending], ["close", "close"]);
  assert.equal(idle.size, 0);
});

Deno.test("Relay passes a FIN on that came before it began", async () => {
  const client = new FakeStream();
  client.readEnded = true;
  const backend = new FakeStream();
  const options = { idle: new Deadlines(60_000), watch: new BrokenWatch() };
  const ended = new Relay(client, backend, options).run(new Uint8Array(1));
  assert.deepEqual([backend.written, backend.ends], [1, 1]);
  backend.sendEnd();
  assert.equal(await ended, "relayed");
});

Deno.test("Relay turns a client's reset into a reset, told by a read or a write", async () => {
  for (const tell of ["onReadError", "onWriteError"] as const) {
    const { client, backend, relay, ended, idle } = start({ stalled: true });
    client.handler[tell](tell === "onReadError" ? reset : brokenPipe);
    assert.equal(await ended, "client_reset");
    assert.match(relay.reason ?? "", /ECONNRESET|EPIPE/);
    assert.deepEqual([client.ending, backend.ending], ["reset", "reset"]);
    assert.equal(idle.size, 0);
  }
});

Deno.test("Relay sees a client break off that it does not read, and looks at no other", async () => {
  const { client, backend, clock, watch, ended } = start({ stalled: true });
  assert.equal(watch.size, 0);
  sendUntilPaused(client, new Uint8Array(64 * 1024));
  assert.equal(watch.size, 1);
  clock.tick();
  assert.equal(client.closed, false);
  backend.drain();
  assert.equal(clock.ticks.size, 0, "no timer runs while all are read");
  backend.stalled = true;
  sendUntilPaused(client, new Uint8Array(64 * 1024));
  client.broken = true;
  clock.tick();
  assert.equal(await ended, "client_reset");
  assert.equal(backend.ending, "reset");
  assert.equal(clock.ticks.size, 0);
});

Deno.test("Relay passes a backend's reset on before its first octet, later a FIN after all of them", async () => {
  const early = start();
  early.backend.handler.onReadError(reset);
  assert.equal(await early.ended, "backend_reset");
  assert.equal(early.client.ending, "reset");

  const late = start();
  late.backend.send(1);
  late.backend.handler.onReadError(reset);
  assert(late.client.brokenOff);
  assert(late.client.reading, "what the client still sends is discarded");
  late.client.send(9);
  assert.equal(late.backend.written, 1, "the hello alone");
  late.client.sendEnd();
  assert.equal(await late.ended, "backend_reset");
  assert.equal(late.client.ending, "close");
});

Deno.test("Relay delivers what a backend sent that takes no more, and discards the upload", async () => {
  const { client, backend, relay, ended } = start({ stalled: true });
  sendUntilPaused(client, new Uint8Array(64 * 1024));
  backend.queued = 0; // What was queued is lost.
  backend.handler.onWriteError(brokenPipe);
  assert(client.reading);
  client.send(1);
  backend.send(1, 2);
  assert.equal(client.written, 2);
  backend.sendEnd();
  client.sendEnd();
  assert.equal(backend.ends, 0);
  assert.equal(await ended, "relayed");
  assert.equal(relay.reason, "write EPIPE");
});

Deno.test("Relay.cut() resets both sides and counts once", async () => {
  const { client, backend, relay, ended } = start();
  relay.cut("idle_timeout");
  relay.cut("shutdown");
  assert.equal(await ended, "idle_timeout");
  assert.deepEqual([client.ending, backend.ending], ["reset", "reset"]);
});

Deno.test("Relay calls it a backend_reset when a backend that has ended takes no more", async () => {
  const { client, backend, ended } = start();
  backend.send(1);
  backend.sendEnd();
  backend.handler.onWriteError(brokenPipe);
  assert.deepEqual([client.brokenOff, backend.ending], [true, "close"]);
  client.sendEnd();
  assert.equal(await ended, "backend_reset");
});

Deno.test("Relay discards for two seconds what the client sends after its backend broke off", async () => {
  using timers = new FakeTimers();
  const { client, backend, ended, idle } = start();
  backend.send(1);
  backend.handler.onReadError(reset);
  timers.advance(1999);
  assert.equal(client.closed, false, "what the kernel holds for the client may still arrive");
  timers.advance(1);
  assert.equal(await ended, "backend_reset");
  assert.deepEqual([client.ending, idle.size, timers.pending], ["close", 0, 0]);
});

Deno.test("Relay waits no longer once the client has ended too", async () => {
  using timers = new FakeTimers();
  const { client, backend, ended } = start();
  backend.send(1);
  backend.handler.onReadError(reset);
  client.sendEnd();
  assert.equal(await ended, "backend_reset");
  assert.equal(timers.pending, 0);
});

/** A relay whose idle deadline, of a second, looks at the clock when told to. */
function startIdling() {
  const clock = new ManualClock();
  const client = new FakeStream();
  const backend = new FakeStream();
  const idle = new Deadlines(1000, clock);
  const relay = new Relay(client, backend, { idle, watch: new BrokenWatch() });
  const ended = relay.run(Uint8Array.of(1));
  const lookAt = (ms: number) => {
    clock.now = () => ms;
    clock.tick();
  };
  lookAt(0);
  return { client, backend, relay, ended, lookAt };
}

type Idling = ReturnType<typeof startIdling>;

const SIGNS_OF_LIFE: Record<string, (idling: Idling) => void> = {
  "octets of the client": ({ client }) => client.send(1),
  "octets of the backend": ({ backend }) => backend.send(1),
  "a client that takes what waited": ({ client }) => client.drain(),
  "a backend that takes what waited": ({ backend }) => backend.drain(),
};

for (const [what, happens] of Object.entries(SIGNS_OF_LIFE)) {
  Deno.test(`Relay starts its idle deadline anew with ${what}`, async () => {
    const idling = startIdling();
    happens(idling);
    idling.lookAt(999);
    idling.lookAt(1998);
    assert.equal(idling.client.closed, false);
    idling.lookAt(1999);
    assert.equal(await idling.ended, "idle_timeout");
  });
}

Deno.test("Relay's idle deadline is not put off by what is discarded", async () => {
  const idling = startIdling();
  idling.backend.handler.onWriteError(brokenPipe);
  idling.client.send(1);
  idling.lookAt(999);
  assert.equal(idling.client.closed, false);
  idling.lookAt(1000);
  assert.equal(await idling.ended, "idle_timeout");
});
