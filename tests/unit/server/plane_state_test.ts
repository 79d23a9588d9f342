import assert from "node:assert/strict";
import { compileFirewall } from "../../../lib/firewall/mod.ts";
import {
  COUNTERS_BYTES,
  createCounters,
  RequestCounts,
  unlimitedDescriptors,
} from "../../../lib/observe/mod.ts";
import type { Clock } from "../../../lib/relay/mod.ts";
import { PlaneState } from "../../../lib/server/plane_state.ts";
import type { Sockets } from "../../../lib/tcp/mod.ts";

/** Counts timers that run. */
class CountingClock implements Clock {
  running = 0;
  now = () => 0;
  wallNow = () => 0;
  every() {
    this.running++;
    return () => void this.running--;
  }
}

function stateOf(clock: Clock) {
  const settings = { connectTimeoutMs: 2000, idleTimeoutMs: 30_000 };
  return new PlaneState({
    clock,
    sockets: {} as Sockets,
    descriptors: unlimitedDescriptors,
    worker: 0,
    counters: createCounters(new SharedArrayBuffer(COUNTERS_BYTES)),
    requests: new RequestCounts(() => {}),
    log: () => {},
    currentRoutes: () => [],
    httpsPort: () => undefined,
    ownPorts: () => [],
  }, { settings, firewall: { rules: compileFirewall([]) } });
}

Deno.test("PlaneState keeps the timers that connections have started, until it is told to let them rest", () => {
  const clock = new CountingClock();
  const state = stateOf(clock);
  assert.equal(clock.running, 0, "nobody has come yet");
  for (let i = 0; i < 2; i++) {
    state.peekDeadlines.arm(() => {}).cancel();
    state.relayOptions.idle.arm(() => {}).cancel();
    assert.equal(clock.running, 2);
  }
  state.restTimers();
  assert.equal(clock.running, 0);
});

Deno.test("PlaneState lets the timer of an idle timeout rest that has changed", () => {
  const clock = new CountingClock();
  const state = stateOf(clock);
  const before = state.relayOptions.idle;
  const wait = before.arm(() => {});
  state.setSettings({ connectTimeoutMs: 2000, idleTimeoutMs: 60_000 });
  assert.notEqual(state.relayOptions.idle, before);
  assert.equal(clock.running, 1, "a stream keeps the deadline it began with");
  wait.cancel();
  assert.equal(clock.running, 0);
  state.relayOptions.idle.arm(() => {}).cancel();
  assert.equal(clock.running, 1);
  state.restTimers();
  assert.equal(clock.running, 0);
});
