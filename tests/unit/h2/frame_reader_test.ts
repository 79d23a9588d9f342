import assert from "node:assert/strict";
import { ErrorCode, FrameFlag, FrameReader, FrameType } from "../../../lib/h2/mod.ts";
import { frame, parseFrames } from "../../support/h2_raw.ts";

const FRAMES = [
  frame(FrameType.settings, 0, 0),
  frame(FrameType.headers, FrameFlag.endHeaders, 1, [1, 2, 3]),
  frame(FrameType.data, 0, 1, [4, 5, 6, 7]),
  frame(FrameType.data, FrameFlag.padded, 1, [2, 8, 9, 0, 0]),
  frame(FrameType.data, FrameFlag.padded, 1, [2, 0, 0]),
  frame(FrameType.data, FrameFlag.padded, 1, [1, 8, 0]),
  frame(FrameType.data, FrameFlag.padded, 1, [0, 8]),
  frame(FrameType.data, FrameFlag.endStream, 1),
  frame(0xfa, 0xff, 0x7fffffff, [1]),
  frame(FrameType.ping, 0, 0, new Uint8Array(8)),
];
const STREAM = Uint8Array.of(...FRAMES.flatMap((bytes) => [...bytes]));

Deno.test("FrameReader finds the same frames wherever the octets are cut", () => {
  const whole = parseFrames([STREAM]);
  assert.equal(whole.length, FRAMES.length);
  assert.deepEqual([...whole[3]?.payload ?? []], [8, 9]);
  assert.equal(whole[8]?.streamId, 0x7fffffff);
  for (let cut = 0; cut <= STREAM.length; cut++) {
    assert.deepEqual(parseFrames([STREAM.slice(0, cut), STREAM.slice(cut)]), whole, `cut ${cut}`);
  }
  assert.deepEqual(parseFrames([...STREAM].map((octet) => Uint8Array.of(octet))), whole);
});

Deno.test("FrameReader ignores the reserved bit of the stream identifier", () => {
  const bytes = frame(FrameType.ping, 0, 0x80000000, new Uint8Array(8));
  assert.equal(parseFrames([bytes])[0]?.streamId, 0);
});

Deno.test("FrameReader passes content on as it comes", () => {
  const pieces: [number, boolean][] = [];
  const reader = new FrameReader({
    frame: () => assert.fail(),
    dataBegin: (_id, _flags, flow, content) => assert.deepEqual([flow, content], [10, 10]),
    dataPiece: (bytes, last) => pieces.push([bytes.length, last]),
    broken: () => assert.fail(),
  }, 16384);
  const bytes = frame(FrameType.data, 0, 1, new Uint8Array(10));
  reader.receive(bytes.subarray(0, 12));
  reader.receive(bytes.subarray(12, 18));
  reader.receive(bytes.subarray(18));
  assert.deepEqual(pieces, [[3, false], [6, false], [1, true]]);
});

const BROKEN: Record<string, [Uint8Array, number]> = {
  "a frame above the limit": [frame(FrameType.headers, 0, 1, [], 16385), ErrorCode.frameSizeError],
  "a frame of 65,536 octets": [
    frame(FrameType.headers, 0, 1, [], 65_536),
    ErrorCode.frameSizeError,
  ],
  "a frame of the largest length there is": [
    frame(FrameType.headers, 0, 1, [], 0xffffff),
    ErrorCode.frameSizeError,
  ],
  "a DATA frame above the limit": [
    frame(FrameType.data, 0, 1, [], 16385),
    ErrorCode.frameSizeError,
  ],
  "padding as long as its frame": [
    frame(FrameType.data, FrameFlag.padded, 1, [3, 0, 0]),
    ErrorCode.protocolError,
  ],
  "padded DATA without a pad length": [
    frame(FrameType.data, FrameFlag.padded, 1),
    ErrorCode.frameSizeError,
  ],
};
for (const [name, [bytes, expected]] of Object.entries(BROKEN)) {
  Deno.test(`FrameReader refuses ${name} and stops`, () => {
    let code = -1;
    const reader = new FrameReader({
      frame: () => assert.fail(),
      dataBegin: () => assert.fail(),
      dataPiece: () => assert.fail(),
      broken: (found) => code = found,
    }, 16384);
    reader.receive(bytes);
    reader.receive(STREAM);
    assert.equal(code, expected);
  });
}

/** A reader that counts what it is given. */
function counting() {
  let frames = 0;
  const reader = new FrameReader({
    frame: () => void frames++,
    dataBegin: () => {},
    dataPiece: (_bytes, last) => void (frames += Number(last)),
    broken: () => {},
  }, 16_384);
  return { reader, count: () => frames };
}

const PING = frame(FrameType.ping, 0, 0, new Uint8Array(8));

Deno.test.each([[0, 0], [1, 17], [2, 34], [3, 51], [4, 51], [undefined, 51]])(
  "FrameReader.receive() of three PINGs with work for %j reads %i octets",
  (work, want) => {
    const { reader, count } = counting();
    const octets = Uint8Array.from([...PING, ...PING, ...PING]);
    assert.equal(reader.receive(octets, work), want);
    assert.deepEqual([count(), reader.frames], [want / 17, want / 17]);
  },
);

Deno.test.each([
  // A block costs 16 frames, and one more for each 256 octets.
  [FrameType.headers, 0, 16],
  [FrameType.continuation, 0, 16],
  [FrameType.headers, 256, 17],
  [FrameType.headers, 512, 18],
  [FrameType.data, 512, 1],
  [FrameType.settings, 510, 1],
])("FrameReader counts a frame of type %i with %i octets as %i", (type, length, cost) => {
  const octets = Uint8Array.from([...frame(type, 0, 1, new Uint8Array(length)), ...PING]);
  const { reader, count } = counting();
  reader.receive(octets, cost);
  assert.equal(count(), 1, "there was no work left for the PING");
  const other = counting();
  other.reader.receive(octets, cost + 0.5);
  assert.equal(other.count(), 2);
});

Deno.test("FrameReader.unfinished tells of a frame that has begun, but for content, until it stops", () => {
  const { reader } = counting();
  const step = (octets: Uint8Array) => {
    reader.receive(octets);
    return reader.unfinished;
  };
  assert.equal(reader.unfinished, false);
  assert.equal(step(PING.subarray(0, 1)), true);
  assert.equal(step(PING.subarray(1, 9)), true);
  assert.equal(step(PING.subarray(9)), false);
  const padded = frame(FrameType.data, FrameFlag.padded, 1, [2, 1, 1, 0, 0]);
  assert.deepEqual(
    [9, 10, 11, 12, 13].map((at) => step(padded.subarray(at === 9 ? 0 : at - 1, at))),
    [true, false, false, true, true],
  );
  assert.equal(step(padded.subarray(13)), false);
  step(PING.subarray(0, 12));
  reader.stop();
  assert.equal(reader.unfinished, false);
  assert.equal(reader.receive(PING.subarray(12)), 5, "and takes whatever comes");
});

Deno.test("FrameReader waits for nothing behind a DATA frame, padded or not", () => {
  const ignore = () => {};
  for (const bytes of FRAMES.filter((bytes) => bytes[3] === FrameType.data)) {
    const sink = { frame: ignore, dataBegin: ignore, dataPiece: ignore, broken: ignore };
    const reader = new FrameReader(sink, 16384);
    reader.receive(bytes);
    assert.deepEqual([reader.unfinished, reader.frames], [false, 1], String(bytes));
    reader.receive(bytes.subarray(0, 1));
    assert.equal(reader.unfinished, true);
  }
});
