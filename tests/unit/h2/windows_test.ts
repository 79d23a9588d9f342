import assert from "node:assert/strict";
import { ReceiveWindow, SendWindow, WindowBudget } from "../../../lib/h2/flow_control.ts";
import { applySettings, defaultPeerSettings } from "../../../lib/h2/settings.ts";
import { StreamTable } from "../../../lib/h2/stream_table.ts";
import type { StreamImpl } from "../../../lib/h2/stream.ts";
import { ErrorCode, errorName } from "../../../lib/h2/mod.ts";
import { setting } from "../../support/h2_raw.ts";

const MAX = 2 ** 31 - 1;

Deno.test("SendWindow grows to 2^31-1 and no further, and below zero (RFC 9113 §6.9)", () => {
  const window = new SendWindow(MAX - 10);
  assert.equal(window.grow(11), false);
  assert.equal(window.available, MAX - 10);
  assert.equal(window.grow(10), true);
  assert.equal(window.grow(-MAX - 5), true);
  assert.equal(window.available, -5);
});

Deno.test("ReceiveWindow takes what it has, and is opened again by halves", () => {
  const window = new ReceiveWindow(100);
  assert.equal(window.take(100), true);
  assert.equal(window.take(1), false);
  const other = new ReceiveWindow(100);
  other.take(100);
  assert.deepEqual([1, 48, 1].map((octets) => other.give(octets)), [0, 0, 50]);
  assert.equal(other.give(49), 0, "counted anew");
  assert.equal(other.take(50), true);
  assert.equal(other.take(1), false);
});

Deno.test("ReceiveWindow doubles for a reader that empties half of it within 250 ms", () => {
  const budget = new WindowBudget(1000);
  const window = new ReceiveWindow(100, 350);
  window.growFrom(budget);
  window.growFrom(new WindowBudget(0));
  assert.equal(window.give(50, 1000), 50, "nothing is known of its pace yet");
  assert.equal(window.give(50, 1250), 150, "fast: another 100");
  assert.equal(budget.left, 900);
  assert.equal(window.give(100, 1501), 100, "too slow by a millisecond");
  assert.equal(window.give(100, 1601), 250, "up to what it may have");
  assert.equal(budget.left, 750);
  assert.equal(window.give(175, 1602), 175);
  window.release();
  assert.equal(budget.left, 1000);
  window.release();
  assert.equal(budget.left, 1000, "given back once");
});

Deno.test("WindowBudget gives what is left", () => {
  const budget = new WindowBudget(10);
  assert.deepEqual([budget.take(6), budget.take(6), budget.take(6)], [6, 4, 0]);
  budget.give(3);
  assert.deepEqual([budget.left, budget.take(6)], [3, 3]);
});

Deno.test.each([
  // RFC 9113 §6.5.2, RFC 8441 §3: who may say what.
  [2, 0, false, undefined],
  [2, 1, true, undefined],
  [2, 1, false, ErrorCode.protocolError],
  [2, 2, true, ErrorCode.protocolError],
  [4, MAX, true, undefined],
  [4, MAX + 1, true, ErrorCode.flowControlError],
  [5, 16_383, true, ErrorCode.protocolError],
  [5, 16_384, true, undefined],
  [5, 16_777_215, true, undefined],
  [5, 16_777_216, true, ErrorCode.protocolError],
  [8, 0, true, undefined],
  [8, 1, true, undefined],
  [8, 2, true, ErrorCode.protocolError],
  [0x7777, 9, true, undefined],
])("applySettings() of %i = %i (push allowed: %j): %j", (id, value, pushAllowed, code) => {
  const options = { pushAllowed, onTableSize: () => assert.fail() };
  const payload = Uint8Array.from(setting(id, value));
  assert.equal(applySettings(defaultPeerSettings(), payload, options)?.code, code);
});

Deno.test("applySettings() takes each setting of a frame in turn, up to the first that is wrong", () => {
  const settings = defaultPeerSettings();
  const sizes: number[] = [];
  const options = { pushAllowed: true, onTableSize: (octets: number) => sizes.push(octets) };
  const payload = Uint8Array.from([
    ...setting(1, 100),
    ...setting(1, 200),
    ...setting(3, 7),
    ...setting(4, 8),
    ...setting(5, 16_400),
    ...setting(6, 9),
    ...setting(8, 1),
  ]);
  assert.equal(applySettings(settings, payload, options), undefined);
  assert.deepEqual(sizes, [100, 200]);
  assert.deepEqual(settings, {
    headerTableSize: 200,
    maxConcurrentStreams: 7,
    initialWindowSize: 8,
    maxFrameSize: 16_400,
    maxHeaderListSize: 9,
    enableConnectProtocol: true,
  });
  const back = applySettings(settings, Uint8Array.from(setting(8, 0)), options);
  assert.deepEqual(back, {
    code: ErrorCode.protocolError,
    reason: "invalid value of SETTINGS_ENABLE_CONNECT_PROTOCOL",
  });
  for (const length of [1, 5, 7]) {
    const problem = applySettings(settings, new Uint8Array(length), options);
    assert.equal(problem?.code, ErrorCode.frameSizeError);
  }
});

Deno.test("defaultPeerSettings() are those of RFC 9113 §6.5.2", () => {
  assert.deepEqual(defaultPeerSettings(), {
    headerTableSize: 4096,
    maxConcurrentStreams: 100,
    initialWindowSize: 65_535,
    maxFrameSize: 16_384,
    maxHeaderListSize: Infinity,
    enableConnectProtocol: false,
  });
});

Deno.test.each([[0, [1, 3, 7], 2], [1, [2, 4, 8], 1]] as [0 | 1, number[], number][])(
  "StreamTable of parity %i takes the peer's identifiers upwards (RFC 9113 §5.1.1)",
  (parity, ids, own) => {
    const table = new StreamTable(parity);
    const [low = 0, middle = 0, high = 0] = ids;
    assert.equal(table.past(low), "idle");
    assert.equal(table.past(0), "idle");
    assert.equal(table.takePeerId(own), false);
    assert.equal(table.takePeerId(low), true);
    assert.equal(table.takePeerId(low), false);
    assert.equal(table.takePeerId(high), true);
    assert.equal(table.takePeerId(middle), false, "left out is used up");
    assert.equal(table.lastPeerId, high);
    assert.equal(table.past(middle), "forgotten");
    assert.equal(table.past(high + 2), "idle");
    assert.deepEqual([table.nextLocalId, table.hasLocalId, table.past(own)], [own, true, "idle"]);
    table.takeLocalId();
    assert.deepEqual([table.nextLocalId, table.past(own)], [own + 2, "forgotten"]);
  },
);

Deno.test("StreamTable remembers how the last 256 streams ended", () => {
  const table = new StreamTable(0);
  const stream = (id: number) => ({ id }) as StreamImpl;
  const idOf = (n: number) => 2 * n + 1;
  for (let n = 0; n < 257; n++) {
    table.takePeerId(idOf(n));
    table.add(stream(idOf(n)));
    assert.equal(table.get(idOf(n))?.id, idOf(n));
    table.remove(idOf(n), n % 2 === 1);
    assert.equal(table.get(idOf(n)), undefined);
  }
  assert.equal(table.size, 0);
  const past = [0, 1, 2, 255, 256].map((n) => table.past(idOf(n)));
  assert.deepEqual(past, ["forgotten", "reset-by-us", "ended", "reset-by-us", "ended"]);
});

Deno.test("errorName() knows RFC 9113 §7, and others by their number", () => {
  const names = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 0xdeadbeef].map(errorName);
  assert.deepEqual(names, [
    "NO_ERROR",
    "PROTOCOL_ERROR",
    "INTERNAL_ERROR",
    "FLOW_CONTROL_ERROR",
    "SETTINGS_TIMEOUT",
    "STREAM_CLOSED",
    "FRAME_SIZE_ERROR",
    "REFUSED_STREAM",
    "CANCEL",
    "COMPRESSION_ERROR",
    "CONNECT_ERROR",
    "ENHANCE_YOUR_CALM",
    "INADEQUATE_SECURITY",
    "HTTP_1_1_REQUIRED",
    "0xe",
    "0xdeadbeef",
  ]);
});
