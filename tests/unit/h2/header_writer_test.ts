import assert from "node:assert/strict";
import {
  FrameFlag,
  FrameType,
  H2FieldError,
  HpackDecoder,
  HpackEncoder,
} from "../../../lib/h2/mod.ts";
import { type HeadersFrame, headersRoom, writeHeaders } from "../../../lib/h2/header_writer.ts";
import { parseFrames } from "../../support/h2_raw.ts";

const MAX_FRAME = 16_384;
/** Not shorter in Huffman's code, so that an octet takes an octet. */
const WIDE = "\xff";

function written(frame: HeadersFrame) {
  const room = headersRoom(frame);
  const bytes = new Uint8Array(room + 10).fill(0xee);
  const end = writeHeaders(frame, new HpackEncoder(), bytes, 5);
  assert(end <= 5 + room, `${end - 5} of ${room} octets`);
  assert.deepEqual(bytes.subarray(0, 5), new Uint8Array(5).fill(0xee));
  const frames = parseFrames([bytes.subarray(5, end)]);
  const fields: string[] = [];
  const block = frames.flatMap(({ payload }) => [...payload]);
  const decoder = new HpackDecoder();
  const sink = { field: (name: string, value: string) => fields.push(name, value) };
  assert(decoder.decode(Uint8Array.from(block), sink), decoder.failure);
  return { frames, fields, room };
}

const { headers, continuation } = FrameType;
const { endHeaders, endStream } = FrameFlag;

/** With the five octets in front of it, a value makes a block of exactly so many octets. */
const fieldsOf = (block: number) => ["x", WIDE.repeat(block - 3 - lengthOctets(block))];
const lengthOctets = (block: number) => block < 130 ? 1 : block < 16_515 ? 3 : 4;

Deno.test.each([
  [1, [[headers, endHeaders | endStream]]],
  [MAX_FRAME - 1, [[headers, endHeaders | endStream]]],
  [MAX_FRAME, [[headers, endHeaders | endStream]]],
  [MAX_FRAME + 1, [[headers, endStream], [continuation, endHeaders]]],
  [2 * MAX_FRAME, [[headers, endStream], [continuation, endHeaders]]],
  [2 * MAX_FRAME + 1, [[headers, endStream], [continuation, 0], [continuation, endHeaders]]],
] as [number, [number, number][]][])(
  "writeHeaders() cuts a block of %i octets into frames that every peer takes",
  (octets, want) => {
    const fields = octets === 1 ? [] : fieldsOf(octets);
    const pseudo = octets === 1 ? [":method", "GET"] : [];
    const made = written({ streamId: 0x7ffffff1, pseudo, fields, endStream: true });
    const sizes = made.frames.map(({ payload }) => payload.length);
    assert.equal(sizes.reduce((sum, size) => sum + size, 0), octets);
    assert(sizes.slice(0, -1).every((size) => size === MAX_FRAME));
    assert.deepEqual(made.frames.map(({ type, flags }) => [type, flags]), want);
    assert(made.frames.every(({ streamId }) => streamId === 0x7ffffff1));
    assert.deepEqual(made.fields, [...pseudo, ...fields]);
    const open = written({ streamId: 1, pseudo, fields, endStream: false });
    assert.deepEqual(open.frames.map(({ flags }) => flags), want.map(([, flags]) => flags & ~1));
  },
);

Deno.test("headersRoom() is enough for any number of fields, and not many times too much", () => {
  for (const [count, length] of [[0, 0], [1, 0], [40, 200], [3000, 3], [2, 40_000]] as const) {
    const pseudo = [":method", "GET", ":path", `/${WIDE.repeat(length)}`];
    const fields = Array.from({ length: count }, (_, i) => [`x${i}`, WIDE.repeat(length)]).flat();
    const made = written({ streamId: 1, pseudo, fields, endStream: false });
    const characters = [...pseudo, ...fields].join("").length;
    assert.deepEqual(made.fields, [...pseudo, ...fields]);
    assert(made.room < 2 * characters + 40 * (count + 2) + 100, `${made.room} for ${characters}`);
  }
});

Deno.test("writeHeaders() keeps from the table what must not be indexed, and only that", () => {
  const encoder = new HpackEncoder();
  const frame = {
    streamId: 1,
    pseudo: [],
    fields: ["x-secret", "1", "x-open", "2"],
    neverIndexed: ["x-secret"],
    endStream: false,
  };
  writeHeaders(frame, encoder, new Uint8Array(headersRoom(frame)), 0);
  assert.equal(encoder.tableSize, "x-open2".length + 32);
});

Deno.test.each([
  [["x"], [], "cannot send fields: a name has no value"],
  [["x y", "1"], [], "cannot send fields: invalid name"],
  [["X", "1"], [], "cannot send fields: invalid name"],
  [["", "1"], [], "cannot send fields: invalid name"],
  [["x", "1", "y", "a\nb"], [], "cannot send fields: invalid value of y"],
  [["server", " a"], [], "cannot send fields: invalid value of server"],
  [[], [":path", "/a\rb"], "cannot send fields: invalid value of :path"],
] as [string[], string[], string][])(
  "headersRoom() of fields %j and pseudo-headers %j throws: %s",
  (fields, pseudo, reason) => {
    const frame = { streamId: 1, pseudo, fields, endStream: false };
    assert.throws(() => headersRoom(frame), new H2FieldError(reason));
  },
);
