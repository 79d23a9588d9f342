import assert from "node:assert/strict";
import { framed, MessageFrames } from "../../../lib/dns_server/frames.ts";

const MESSAGES = [[1, 2, 3], [], [4], Array.from({ length: 700 }, (_, i) => i & 255)]
  .map((octets) => Uint8Array.from(octets));

/** The messages that come of octets, cut at `places`. */
function messagesOf(octets: Uint8Array, places: readonly number[]): number[][] {
  const frames = new MessageFrames();
  const found: number[][] = [];
  for (const [i, start] of [0, ...places].entries()) {
    frames.push(octets.subarray(start, places[i] ?? octets.length));
    for (let next = frames.next(); next !== undefined; next = frames.next()) found.push([...next]);
  }
  assert.equal(frames.pending, 0);
  return found;
}

Deno.test("MessageFrames gives the same messages wherever the stream is cut", () => {
  const octets = framed(MESSAGES);
  const expected = MESSAGES.map((message) => [...message]);
  assert.deepEqual(messagesOf(octets, []), expected);
  for (let cut = 0; cut <= octets.length; cut++) {
    assert.deepEqual(messagesOf(octets, [cut]), expected, `cut at ${cut}`);
  }
  assert.deepEqual(messagesOf(octets, Array.from(octets.keys())), expected, "octet by octet");
});

Deno.test("MessageFrames waits for the last octet of a length that was lied about", () => {
  const frames = new MessageFrames();
  frames.push(Uint8Array.of(0xff, 0xff, ...new Uint8Array(65_534)));
  assert.equal(frames.hasNext, false);
  assert.equal(frames.next(), undefined);
  frames.push(Uint8Array.of(7));
  assert.equal(frames.hasNext, true);
  const message = frames.next();
  assert.equal(message?.length, 65_535);
  assert.equal(message?.at(-1), 7);
  assert.equal(frames.pending, 0);
});

Deno.test("MessageFrames copies a long message that comes octet by octet a few times, not each time", () => {
  const frames = new MessageFrames();
  const octets = framed([new Uint8Array(65_535)]);
  const set = Uint8Array.prototype.set;
  let copied = 0;
  Uint8Array.prototype.set = function (from: ArrayLike<number>, at?: number) {
    copied += from.length;
    set.call(this, from, at);
  };
  try {
    for (const octet of octets) frames.push(Uint8Array.of(octet));
  } finally {
    Uint8Array.prototype.set = set;
  }
  assert.equal(frames.next()?.length, 65_535);
  assert(copied < 10 * octets.length, `${copied} octets were copied`);
});

Deno.test("framed() puts each message behind its length", () => {
  assert.deepEqual([...framed([Uint8Array.of(9, 8), new Uint8Array(256)])].slice(0, 6), [
    ...[0, 2, 9, 8],
    ...[1, 0],
  ]);
});
