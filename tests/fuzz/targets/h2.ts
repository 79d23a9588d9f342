import assert from "node:assert/strict";
import {
  CLIENT_PREFACE,
  EDGE_LIMITS,
  FrameFlag,
  FrameType,
  H2Session,
  HpackEncoder,
} from "../../../lib/h2/mod.ts";
import type { Random } from "../../support/fuzz.ts";
import { cut, type FuzzTarget } from "../../support/fuzz_target.ts";
import { content, get, Recorder } from "../../support/h2_pair.ts";
import { frame, parseFrames, REQUEST, setting, u32 } from "../../support/h2_raw.ts";
import { encodeBlock } from "../../support/hpack.ts";

const RANDOM_STREAM = [0, 1, 1, 3, 3, 5, 7, 2, 0x7fffffff];

/** The octets of a conversation that is mostly correct, behind the preface. */
function conversation(random: Random): Uint8Array {
  const encoder = new HpackEncoder();
  const chunks = [frame(FrameType.settings, 0, 0, setting(4, random.below(70_000)))];
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

/** HTTP/2 as a server reads it; an input that is not damaged there has the preface. */
export const H2_REQUESTS: FuzzTarget = {
  name: "h2_requests",
  rounds: 1500,
  make: (random) => Uint8Array.from([...CLIENT_PREFACE, ...conversation(random)]),
  check(bytes, random) {
    assert.deepEqual(observe(cut(bytes, random)), observe([bytes]));
  },
};

/** HTTP/2 as a client with three requests reads it. */
export const H2_ANSWERS: FuzzTarget = {
  name: "h2_answers",
  rounds: 1500,
  make(random) {
    const status = random.pick(["200", "103", "204", "x"]);
    const answer = encodeBlock(new HpackEncoder(), [":status", status, "a", "b"]);
    return Uint8Array.of(
      ...frame(FrameType.settings, 0, 0, setting(3, 100)),
      ...frame(FrameType.headers, random.pick([4, 5]), random.pick(RANDOM_STREAM), answer),
      ...frame(FrameType.data, random.below(2), 3, random.bytes(50)),
      ...frame(FrameType.goaway, 0, 0, [...u32(random.below(8)), ...u32(0)]),
      ...frame(FrameType.rstStream, 0, 5, u32(random.below(14))),
    );
  },
  check(bytes, random) {
    const read = (chunks: readonly Uint8Array[]) => {
      const recorder = new Recorder();
      const session = new H2Session({ role: "client", handler: recorder, now: 0 });
      const streams = [1, 2, 3].map((n) => session.request(get(`/${n}`), n > 1));
      for (const chunk of chunks) session.receive(chunk, 1);
      parseFrames(session.takeOutput().map((chunk, i) => i === 0 ? chunk.subarray(24) : chunk));
      session.abort("test ends");
      for (const stream of streams) assert(stream.closed);
      return [...recorder.streams].map(([id, { ended, reset, trailers }]) => {
        return { id, ended, reset, trailers };
      });
    };
    assert.deepEqual(read(cut(bytes, random)), read([bytes]));
  },
};
