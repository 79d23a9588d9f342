import assert from "node:assert/strict";
import {
  encodeStatusMessage,
  frameMessage,
  MessageReader,
  parseTimeout,
} from "../../../lib/rpc_server/frames.ts";

const bytes = (length: number, seed: number) =>
  Uint8Array.from({ length }, (_, i) => (i * 31 + seed) & 255);

Deno.test("MessageReader takes messages out of octets that are cut anywhere", () => {
  const messages = [bytes(0, 1), bytes(1, 2), bytes(300, 3), bytes(5, 4), bytes(70_000, 5)];
  const stream = new Uint8Array(messages.flatMap((message) => [...frameMessage(message)]));
  for (const step of [1, 2, 3, 5, 7, 64, 4096, stream.length]) {
    const reader = new MessageReader(100_000);
    const found: Uint8Array[] = [];
    for (let at = 0; at < stream.length; at += step) {
      found.push(...reader.receive(stream.subarray(at, at + step)).map((it) => it.slice()));
    }
    assert.deepEqual(found, messages, `steps of ${step}`);
    assert.equal(reader.buffered, 0);
  }
});

Deno.test("MessageReader keeps no view of the octets it was given", () => {
  const reader = new MessageReader(100);
  const half = frameMessage(Uint8Array.of(1, 2, 3)).subarray(0, 7).slice();
  assert.deepEqual(reader.receive(half), []);
  half.fill(9);
  assert.deepEqual(reader.receive(Uint8Array.of(3)), [Uint8Array.of(1, 2, 3)]);
});

Deno.test("MessageReader refuses a length over its bound before the octets come", () => {
  const tooLong = Uint8Array.of(0, 0, 0, 0, 101);
  assert.throws(() => new MessageReader(100).receive(tooLong), { code: "resource_exhausted" });
  assert.throws(() => new MessageReader(100).receive(Uint8Array.of(0, 255, 255, 255, 255)), {
    code: "resource_exhausted",
  });
});

Deno.test("MessageReader refuses compressed messages and unknown flags", () => {
  for (let flag = 1; flag < 256; flag++) {
    assert.throws(() => new MessageReader(100).receive(Uint8Array.of(flag, 0, 0, 0, 0)), {
      code: "unimplemented",
    });
  }
});

Deno.test("parseTimeout() reads every unit and nothing else", () => {
  const cases = [
    ["1H", 3_600_000],
    ["2M", 120_000],
    ["3S", 3000],
    ["4m", 4],
    ["5000u", 5],
    [
      "6n",
      1,
    ],
    ["0S", 0],
    ["99999999S", 99_999_999_000],
  ] as const;
  for (const [text, ms] of cases) assert.equal(parseTimeout(text), ms, text);
  for (const text of ["", "1", "S", "1s", "-1S", "1.5S", "123456789S", " 1S", "1S "]) {
    assert.equal(parseTimeout(text), undefined, text);
  }
});

Deno.test("encodeStatusMessage() gives a field value that decodes to the message", () => {
  for (const message of ["plain", "100% é 日本\r\n\u0000", "~ \x7f"]) {
    const encoded = encodeStatusMessage(message);
    assert.match(encoded, /^[\x20-\x7e]*$/);
    assert.equal(decodeURIComponent(encoded), message);
  }
});
