import assert from "node:assert/strict";
import { FrameType, type H2Stream, type ResetCause } from "../../../lib/h2/mod.ts";
import type { Seen } from "../../support/h2_pair.ts";
import { frame, parseFrames, RawPeer, REQUEST, setting, u32 } from "../../support/h2_raw.ts";

/** How a stream is brought into a state; its identifier. */
const STATES: Readonly<Record<string, (peer: RawPeer) => number>> = {
  "the connection": () => 0,
  "an idle stream": () => 9,
  "a stream that only a server opens": () => 2,
  "an open stream": (peer) => peer.open(false),
  "an open stream that was answered": (peer) => {
    const id = peer.open(false);
    streamOf(peer, id).respond({ status: 200, fields: [] }, true);
    return id;
  },
  "a stream that waits for its answer": (peer) => peer.open(true),
  "a stream whose answer waits for its window": (peer) => {
    const id = peer.open(true);
    streamOf(peer, id).respond({ status: 200, fields: [] });
    streamOf(peer, id).sendData(new Uint8Array(1000), true);
    return id;
  },
  "a stream with trailers waiting": (peer) => {
    const id = peer.open(false);
    streamOf(peer, id).respond({ status: 200, fields: [] });
    streamOf(peer, id).sendData(new Uint8Array(1000));
    streamOf(peer, id).sendTrailers(["grpc-status", "0"]);
    return id;
  },
  "a stream that ended": (peer) => {
    const id = peer.open(true);
    streamOf(peer, id).respond({ status: 200, fields: [] }, true);
    return id;
  },
  "a stream that the peer has reset": (peer) => {
    const id = peer.open(false);
    peer.rst(id);
    return id;
  },
  "a stream that we have reset": (peer) => {
    const id = peer.open(false);
    streamOf(peer, id).reset(2);
    return id;
  },
  "a stream that broke a rule": (peer) => {
    const id = peer.open(false);
    peer.send(frame(FrameType.windowUpdate, 0, id, u32(0)));
    return id;
  },
  "a header block that is not finished": (peer) => {
    peer.send(frame(FrameType.headers, 0, 1, peer.block(REQUEST)));
    return 1;
  },
  "a stream after the last GOAWAY": (peer) => {
    peer.open(false);
    peer.session.shutdown();
    peer.session.tick(10_000);
    return 3;
  },
};

const TYPES = { ...FrameType, unknown: 0x42 };
const FLAGS = [0, 1, 4, 5, 8, 9, 0x20, 0x2d, 0xff];
const LENGTHS = [0, 1, 4, 5, 6, 8, 9, 18, 300];

/** Payloads that are right for some type, and those that are right for none. */
function payloads(peer: RawPeer): Uint8Array[] {
  return [
    ...LENGTHS.map((length) => new Uint8Array(length)),
    ...[1, 0x7fffffff, 0xffffffff].map((value) => Uint8Array.from(u32(value))),
    Uint8Array.from([...setting(4, 0x7fffffff), ...setting(5, 16384), ...setting(1, 0)]),
    Uint8Array.from([...u32(9), ...u32(0), 1, 2]),
    peer.block(REQUEST),
    peer.block(["x-trailer", "y"]),
  ];
}

/** What an owner is promised: each stream that is gone was told of once, and nothing after that. */
function watch(peer: RawPeer): Map<H2Stream, number> {
  const ends = new Map<H2Stream, number>();
  const { recorder } = peer;
  const told = (stream: H2Stream) => ends.set(stream, (ends.get(stream) ?? 0) + 1);
  const onReset = recorder.onReset.bind(recorder);
  recorder.onReset = (stream: H2Stream, cause: ResetCause) => {
    told(stream);
    onReset(stream, cause);
  };
  const onEnd = recorder.onEnd.bind(recorder);
  recorder.onEnd = (stream: H2Stream) => {
    told(stream);
    onEnd(stream);
  };
  recorder.data = ({ stream }: Seen) => assert(!ends.has(stream), "content after the end");
  return ends;
}

for (const [state, enter] of Object.entries(STATES)) {
  Deno.test(`H2Session takes a frame of any type on ${state}, and keeps its promises`, () => {
    for (const [name, type] of Object.entries(TYPES)) {
      for (const flags of FLAGS) {
        for (let i = 0; i < LENGTHS.length + 7; i++) {
          const peer = new RawPeer();
          peer.send(frame(FrameType.settings, 0, 0, setting(4, 100)));
          const ends = watch(peer);
          const id = enter(peer);
          const resetByUs = state === "a stream that we have reset";
          const payload = payloads(peer)[i] ?? new Uint8Array(0);
          const what = `${name}, flags ${flags}, payload ${i}`;
          peer.send(frame(type, flags, id, payload));
          peer.send(frame(FrameType.ping, 0, 0, new Uint8Array(8)));
          parseFrames(peer.session.takeOutput());
          for (const { stream } of peer.recorder.streams.values()) {
            const promised = stream.closed && !(resetByUs && stream.id === 1) ? 1 : 0;
            assert.equal(ends.get(stream) ?? 0, promised, what);
          }
          const open = [...peer.recorder.streams.values()].filter(({ stream }) => !stream.closed);
          assert.equal(peer.session.openStreams, open.length, what);
          peer.session.abort("the test ends");
          assert.equal(peer.session.openStreams, 0);
          for (const { stream } of open) assert.equal(ends.get(stream), 1, what);
        }
      }
    }
  });
}

function streamOf(peer: RawPeer, id: number): H2Stream {
  const stream = peer.recorder.streams.get(id)?.stream;
  assert(stream !== undefined);
  return stream;
}
