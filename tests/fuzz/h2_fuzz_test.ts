import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import {
  CLIENT_PREFACE,
  EDGE_LIMITS,
  ErrorCode,
  FrameFlag,
  FrameType,
  H2Session,
  type H2Stream,
  HpackEncoder,
} from "../../lib/h2/mod.ts";
import { fuzzTest, mutate, type Random } from "../support/fuzz.ts";
import { content, get, Pair, Recorder } from "../support/h2_pair.ts";
import { frame, parseFrames, REQUEST, setting, u32 } from "../support/h2_raw.ts";
import { encodeBlock } from "../support/hpack.ts";

const ROUNDS = 1000;
const RANDOM_STREAM = [0, 1, 1, 3, 3, 5, 7, 2, 0x7fffffff];

/** The octets of a conversation that is mostly correct. */
function conversation(random: Random): Uint8Array {
  const encoder = new HpackEncoder();
  const chunks = [
    CLIENT_PREFACE,
    frame(FrameType.settings, 0, 0, setting(4, random.below(70_000))),
  ];
  let next = 1;
  for (let i = random.below(25); i >= 0; i--) {
    const id = next === 1 || random.below(20) === 0
      ? random.pick(RANDOM_STREAM)
      : 1 + 2 * random.below((next - 1) / 2);
    switch (random.below(10)) {
      case 0:
      case 1:
      case 2: {
        const flags = random.pick([0x4, 0x5, 0x5, 0x0, 0x1]);
        const more = random.pick([[], ["content-length", "3"], ["x", "y"], ["cookie", "a"]]);
        chunks.push(
          frame(FrameType.headers, flags, next, encodeBlock(encoder, [...REQUEST, ...more])),
        );
        if ((flags & FrameFlag.endHeaders) === 0) {
          chunks.push(frame(FrameType.continuation, 4, next, encodeBlock(encoder, ["z", "z"])));
        }
        next += 2;
        break;
      }
      case 3:
      case 4:
        chunks.push(frame(FrameType.data, random.below(2), id, random.bytes(random.below(300))));
        break;
      case 5:
        chunks.push(frame(FrameType.windowUpdate, 0, id, u32(random.below(100_000))));
        break;
      case 6:
        chunks.push(frame(FrameType.rstStream, 0, id, u32(random.below(14))));
        break;
      case 7:
        chunks.push(frame(FrameType.headers, 5, id, encodeBlock(encoder, ["grpc-status", "0"])));
        break;
      case 8:
        chunks.push(frame(random.below(16), random.below(256), id, random.bytes(random.below(20))));
        break;
      default:
        chunks.push(frame(FrameType.ping, random.below(2), 0, random.bytes(8)));
    }
  }
  return Uint8Array.of(...chunks.flatMap((chunk) => [...chunk]));
}

/** A session fed with `chunks`, whose owner echoes. Answers everything that was observable. */
function observe(chunks: readonly Uint8Array[]): unknown {
  const recorder = new Recorder();
  recorder.request = ({ stream }, endStream) => {
    stream.respond({ status: 200, fields: ["content-type", "text/plain"] }, endStream);
  };
  recorder.data = ({ stream }, bytes, endStream) => stream.sendData(bytes.slice(), endStream);
  const session = new H2Session({ role: "server", handler: recorder, now: 0 });
  for (const chunk of chunks) session.receive(chunk, 1);
  session.tick(2);
  assert(session.openStreams <= EDGE_LIMITS.maxConcurrentStreams);
  assert(session.pendingOutput <= EDGE_LIMITS.maxOutput + 20_000);
  parseFrames(session.takeOutput()); // whatever we say is well-formed
  session.abort("test ends");
  return {
    closed: recorder.closed,
    refusals: recorder.refusals,
    goaways: recorder.goaways,
    streams: [...recorder.streams].map(([id, seen]) => {
      const { request, trailers, ended, reset, closedInOrder } = seen;
      const received = content(seen).toHex();
      return { id, request, trailers, ended, reset, closedInOrder, received };
    }),
  };
}

function cut(bytes: Uint8Array, random: Random): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  for (let at = 0; at < bytes.length;) {
    const end = at + 1 + random.below(random.pick([1, 10, 100, 1000]));
    chunks.push(bytes.slice(at, end));
    at = end;
  }
  return chunks;
}

fuzzTest("H2Session never throws, and what it does never depends on the cuts", (random) => {
  for (let round = 0; round < ROUNDS; round++) {
    const whole = conversation(random);
    const bytes = random.below(3) === 0 ? whole : mutate(whole, random);
    assert.deepEqual(observe(cut(bytes, random)), observe([bytes]));
  }
});

fuzzTest("H2Session as a client never throws, whatever the octets", (random) => {
  for (let round = 0; round < ROUNDS; round++) {
    const recorder = new Recorder();
    const session = new H2Session({ role: "client", handler: recorder, now: 0 });
    const streams = [1, 2, 3].map((n) => session.request(get(`/${n}`), n > 1));
    const encoder = new HpackEncoder();
    const answer = encodeBlock(encoder, [
      ":status",
      random.pick(["200", "103", "204", "x"]),
      "a",
      "b",
    ]);
    const bytes = mutate(
      Uint8Array.of(
        ...frame(FrameType.settings, 0, 0, setting(3, 100)),
        ...frame(FrameType.headers, random.pick([4, 5]), random.pick(RANDOM_STREAM), answer),
        ...frame(FrameType.data, random.below(2), 3, random.bytes(50)),
        ...frame(FrameType.goaway, 0, 0, [...u32(random.below(8)), ...u32(0)]),
        ...frame(FrameType.rstStream, 0, 5, u32(random.below(14))),
      ),
      random,
    );
    for (const chunk of cut(bytes, random)) session.receive(chunk, 1);
    parseFrames(session.takeOutput().map((chunk, i) => i === 0 ? chunk.subarray(24) : chunk));
    session.abort("test ends");
    for (const stream of streams) assert(stream.closed);
  }
});

/** What a test sent on one stream in one direction. */
class Sent {
  readonly chunks: Uint8Array[] = [];
  ended = false;
}

/** Sends a random piece on a stream, and its end now and then. */
function sendSome(stream: H2Stream, sent: Sent, random: Random): void {
  if (sent.ended || stream.closed) return;
  const bytes = new Uint8Array(random.pick([0, 1, 100, 20_000, 70_000])).fill(random.below(256));
  sent.ended = random.below(4) === 0;
  sent.chunks.push(bytes);
  stream.sendData(bytes, sent.ended);
}

fuzzTest("two sessions deliver every octet in order, whatever the calls and cuts", (random) => {
  for (let round = 0; round < 15; round++) {
    const pair = new Pair({ cut: (bytes) => cut(bytes, random) });
    const up = new Map<H2Stream, Sent>();
    const down = new Map<H2Stream, Sent>();
    const reset = new Set<number>();
    pair.serverSide.request = ({ stream }) => {
      stream.respond({ status: 200, fields: [] });
      down.set(stream, new Sent());
    };
    for (let step = 0; step < 60; step++) {
      const [stream, sent] = random.pick([...up, ...down, [undefined, new Sent()]] as const);
      if (stream === undefined && pair.client.canOpenStream) {
        up.set(pair.client.request({ ...get("/"), method: "POST" }), new Sent());
      } else if (stream !== undefined && random.below(15) === 0) {
        stream.reset(ErrorCode.cancel);
        reset.add(stream.id);
      } else if (stream !== undefined) {
        sendSome(stream, sent, random);
      }
      if (random.below(3) === 0) pair.toServer();
      if (random.below(3) === 0) pair.toClient();
    }
    pair.run();
    assert(!pair.client.closed && !pair.server.closed);
    compare(up, pair.serverSide, reset);
    compare(down, pair.clientSide, reset);
  }
});

function compare(all: Map<H2Stream, Sent>, other: Recorder, reset: Set<number>): void {
  for (const [{ id }, sent] of all) {
    const seen = other.streams.get(id);
    const whole = Buffer.concat(sent.chunks);
    const received = content(seen);
    if (reset.has(id)) {
      assert(Buffer.compare(received, whole.subarray(0, received.length)) === 0, `stream ${id}`);
      continue;
    }
    assert(Buffer.compare(received, whole) === 0, `stream ${id}: ${received.length} octets`);
    assert.equal(seen?.ended ?? false, sent.ended, `stream ${id}`);
  }
}
