import assert from "node:assert/strict";
import {
  CLIENT_PREFACE,
  EDGE_LIMITS,
  ErrorCode,
  FrameFlag,
  FrameType,
  type Limits,
} from "../../../lib/h2/mod.ts";
import { frame, RawPeer, REQUEST, setting, u32 } from "../../support/h2_raw.ts";
import { answering } from "../../support/h2_frames.ts";

const { continuation, data, goaway, headers, ping, rstStream, settings, windowUpdate } = FrameType;

const { endStream, endHeaders, padded, ack } = FrameFlag;

const BAD = frame(ping, 0, 0, [1]);

function joined(...frames: Uint8Array[]): Uint8Array {
  return Uint8Array.from(frames.flatMap((octets) => [...octets]));
}

function edge(limits: Partial<Limits>): RawPeer {
  return new RawPeer({ limits: { ...EDGE_LIMITS, ...limits } });
}

Deno.test("nothing is read any more of a chunk whose frame broke a rule", () => {
  const peer = new RawPeer();
  const id = peer.open(false);
  peer.frames();
  peer.send(joined(BAD, frame(ping, 0, 0, new Uint8Array(8)), frame(data, 0, id, [1, 2])));
  peer.send(joined(peer.headers(id + 2, REQUEST)));
  assert.deepEqual(peer.frames().map(({ type }) => type), [goaway]);
  assert.deepEqual([...peer.recorder.streams.keys()], [id]);
  assert.deepEqual(peer.recorder.streams.get(id)?.chunks, []);
});

Deno.test("no request is taken of a peer whose first frame is not SETTINGS", () => {
  for (const first of [headers, data, settings]) {
    const peer = new RawPeer({ greet: false });
    peer.send(CLIENT_PREFACE);
    const flags = first === settings ? ack : endHeaders | endStream;
    const payload = first === headers ? peer.block(REQUEST) : [];
    peer.send(frame(first, flags, first === settings ? 0 : 1, payload));
    assert.equal(peer.goaway(), ErrorCode.protocolError);
    assert.equal(peer.recorder.streams.size, 0);
  }
});

Deno.test("only CONTINUATION of the same stream may follow an unfinished block", () => {
  for (
    const next of [
      frame(data, 0, 1, [1]),
      frame(ping, 0, 0, new Uint8Array(8)),
      frame(continuation, endHeaders, 5),
      frame(continuation, endHeaders, 0),
    ]
  ) {
    const peer = new RawPeer();
    const id = peer.open(false);
    peer.frames();
    peer.send(frame(headers, 0, id + 2, peer.block(REQUEST)), next);
    const types = peer.frames();
    assert.deepEqual(types.map(({ type }) => type), [goaway]);
    assert.equal(peer.recorder.closed?.code, ErrorCode.protocolError);
    assert.deepEqual(peer.recorder.streams.get(id)?.chunks, []);
    assert.equal(peer.recorder.streams.size, 1);
  }
  const peer = new RawPeer();
  peer.send(frame(continuation, endHeaders, 0));
  assert.equal(peer.goaway(), ErrorCode.protocolError);
  assert.equal(peer.recorder.closed?.reason, "CONTINUATION without HEADERS");
});

Deno.test("a header block in several frames is what it would be in one", () => {
  const peer = new RawPeer();
  const fields = Array.from({ length: 30 }, (_, i) => [`x-${i}`, "\xfe".repeat(300 + i)]).flat();
  const block = peer.block([...REQUEST, ...fields]);
  const cuts = [0, 4000, 4100, 8300, 8300, block.length];
  assert(block.length > 8300);
  for (let i = 1; i < cuts.length; i++) {
    const piece = block.subarray(cuts[i - 1], cuts[i]);
    const last = i === cuts.length - 1 ? endHeaders : 0;
    if (i === 1) peer.send(frame(headers, endStream | last, 1, piece));
    else peer.send(frame(continuation, last, 1, piece));
  }
  const seen = peer.recorder.streams.get(1);
  assert.deepEqual(seen?.request?.fields, fields);
  assert.equal(seen?.ended, true);
  // The next block does not end its stream.
  peer.send(peer.headers(3, REQUEST, false));
  assert.equal(peer.recorder.streams.get(3)?.ended, false);
});

Deno.test("HEADERS whose payload is padding alone is a block without fields, not a wrong length", () => {
  const peer = new RawPeer();
  peer.send(frame(headers, padded | endHeaders | endStream, 1, [0]));
  assert.equal(peer.session.closed, false);
  assert.equal(peer.resetCode(1), ErrorCode.protocolError);
  peer.send(frame(headers, padded | endHeaders | endStream, 3, [1, 0]));
  assert.equal(peer.session.closed, false);
  peer.send(frame(headers, padded | endHeaders | endStream, 5, [2, 0]));
  assert.equal(peer.goaway(), ErrorCode.protocolError);
});

Deno.test("HEADERS on a stream whose request has ended reset it", () => {
  const peer = new RawPeer();
  const id = peer.open();
  peer.send(peer.headers(id, ["x", "y"]));
  assert.equal(peer.resetCode(id), ErrorCode.streamClosed);
});

Deno.test("a request that was answered at once leaves no stream behind", () => {
  const peer = new RawPeer();
  peer.recorder.request = ({ stream }) => stream.respond({ status: 204, fields: [] }, true);
  peer.open(true);
  assert.equal(peer.session.openStreams, 0);
  assert.equal(peer.recorder.streams.get(1)?.closedInOrder, true);
});

for (
  const [name, open] of [
    ["above the limit of streams", (peer: RawPeer) => (peer.open(false), peer.open(false))],
    ["with too large a header list", (peer: RawPeer) => peer.open(false, ["x", "y".repeat(400)])],
    ["that broke a rule", (peer: RawPeer) => peer.open(false, ["connection", "x"])],
  ] as const
) {
  Deno.test(`what follows a request ${name} is ignored, and given back to the window`, () => {
    const peer = edge({
      maxConcurrentStreams: 1,
      maxHeaderListSize: 400,
      connectionWindow: 65_536,
    });
    const id = open(peer);
    assert(peer.frames().some(({ type, streamId }) => type === rstStream && streamId === id));
    for (let i = 0; i < 10; i++) peer.send(frame(data, 0, id, new Uint8Array(16_384)));
    peer.send(peer.headers(id, ["x", "y"]));
    assert.equal(peer.session.closed, false);
    const credit = peer.frames().filter(({ type, streamId }) => type === windowUpdate && !streamId);
    assert(credit.length >= 4, `${credit.length} updates`);
  });
}

Deno.test("a request with too large a header list is answered, and told that the rest is not wanted", () => {
  const peer = edge({ maxHeaderListSize: 400, resets: { burst: 2, perSecond: 0 } });
  const large = ["x", "y".repeat(400)];
  peer.open(true, large);
  assert.deepEqual(peer.frames().map(({ type, flags }) => [type, flags]), [
    [headers, endHeaders | endStream],
  ]);
  const id = peer.open(false, large);
  const [answer, reset] = peer.frames();
  assert.deepEqual([answer?.type, answer?.flags], [headers, endHeaders | endStream]);
  assert.deepEqual([reset?.type, [...reset?.payload ?? []]], [rstStream, u32(ErrorCode.noError)]);
  assert.deepEqual(peer.recorder.refusals.map(({ kind }) => kind), ["too-large", "too-large"]);
  // The stream that ended is closed: nothing may follow it.
  peer.send(frame(data, 0, id, [1]));
  assert.equal(peer.session.closed, false);
  peer.open(true, large);
  assert.equal(peer.recorder.closed?.code, ErrorCode.enhanceYourCalm, "each counts as a reset");
});

Deno.test("after the last GOAWAY requests are ignored, and those before it go on", () => {
  const peer = new RawPeer();
  const id = peer.open(false);
  peer.session.shutdown();
  peer.now += EDGE_LIMITS.drainNoticeMs;
  peer.session.tick(peer.now);
  peer.frames();
  const late = peer.open(false);
  peer.send(frame(data, 0, late, [1]), peer.headers(late, ["x", "y"]));
  peer.send(frame(data, endStream, id, [2]));
  assert.equal(peer.session.closed, false);
  assert.deepEqual([...peer.recorder.streams.keys()], [id]);
  assert.deepEqual(peer.recorder.streams.get(id)?.chunks, [Uint8Array.of(2)]);
});

Deno.test("content comes in pieces, and ends with the last of a frame that ends the stream", () => {
  const peer = new RawPeer();
  const id = peer.open(false);
  const bytes = frame(data, endStream, id, [1, 2, 3, 4]);
  const ends: boolean[] = [];
  peer.recorder.data = (_seen, _bytes, end) => ends.push(end);
  peer.send(bytes.subarray(0, 10), bytes.subarray(10, 12), bytes.subarray(12));
  assert.deepEqual(ends, [false, false, true]);
});

Deno.test("a stream that its owner resets hears nothing more of the frame that is arriving", () => {
  const peer = new RawPeer();
  const id = peer.open(false);
  peer.recorder.data = ({ stream }) => stream.reset(ErrorCode.cancel);
  const bytes = frame(data, endStream, id, [1, 2, 3, 4]);
  peer.send(bytes.subarray(0, 11), bytes.subarray(11));
  assert.equal(peer.recorder.streams.get(id)?.chunks.length, 1);
  assert.equal(peer.resetCode(id), ErrorCode.cancel);
});

Deno.test("each DATA frame for a stream that broke a rule is given back to the window", () => {
  const peer = edge({ connectionWindow: 65_536 });
  for (let i = 0; i < 8; i++) {
    const id = peer.open(true);
    peer.send(frame(data, 0, id, new Uint8Array(16_384)));
    assert.equal(peer.session.closed, false);
    assert.equal(peer.resetCode(id), ErrorCode.streamClosed);
  }
});

Deno.test("empty DATA frames that end their streams cost nothing, others do", () => {
  const peer = edge({ emptyData: { burst: 2, perSecond: 0 } });
  for (let i = 0; i < 5; i++) peer.send(frame(data, endStream, peer.open(false)));
  const id = peer.open(false);
  peer.send(frame(data, 0, id), frame(data, 0, id), frame(data, 0, id, [1]));
  assert.equal(peer.session.closed, false);
  peer.send(frame(data, 0, id));
  assert.equal(peer.goaway(), ErrorCode.enhanceYourCalm);
  assert.equal(peer.recorder.closed?.reason, "too many empty DATA frames");
});

Deno.test.each([
  // Octets of content, frames that pass with two tokens, and whether the next one ends it.
  [0, 0, true],
  [1, 2, true],
  [128, 4, true],
  [192, 8, true],
  [256, 50, false],
  [300, 50, false],
])("DATA frames of %i octets cost what they are short of 256: %i pass", (octets, passing, ends) => {
  const peer = edge({
    smallData: { burst: 1, perSecond: 0 },
    emptyData: { burst: 0, perSecond: 0 },
  });
  const id = peer.open(false);
  for (let i = 0; i < passing; i++) peer.send(frame(data, 0, id, new Uint8Array(octets)));
  assert.equal(peer.session.closed, false);
  peer.send(frame(data, 0, id, new Uint8Array(octets)));
  assert.equal(peer.session.closed, ends);
});

Deno.test("256 octets of content pay for one control frame", () => {
  const peer = edge({ control: { burst: 1, perSecond: 0 } });
  const id = peer.open(false);
  const pings = (count: number) => {
    for (let i = 0; i < count; i++) peer.send(frame(ping, 0, 0, new Uint8Array(8)));
    return peer.session.closed;
  };
  assert.equal(pings(2), false);
  peer.send(frame(data, 0, id, new Uint8Array(128)), frame(data, 0, id, new Uint8Array(128)));
  assert.equal(pings(1), false);
  peer.send(frame(data, 0, id, new Uint8Array(255)));
  assert.equal(pings(1), true);
  assert.equal(peer.recorder.closed?.reason, "too many PING frames");
});

Deno.test("frames on streams that are over count as control frames", () => {
  for (
    const late of [
      (id: number) => frame(data, 0, id, new Uint8Array(0)),
      (id: number) => frame(windowUpdate, 0, id, u32(1)),
      (id: number) => frame(rstStream, 0, id, u32(8)),
      (id: number, peer: RawPeer) => peer.headers(id, ["x", "y"]),
    ]
  ) {
    const peer = edge({ control: { burst: 1, perSecond: 0 } });
    const id = peer.open(false, ["connection", "x"]);
    peer.send(late(id, peer), late(id, peer));
    assert.equal(peer.session.closed, false);
    peer.send(late(id, peer));
    assert.equal(peer.recorder.closed?.reason, "too many frames on closed streams");
  }
});

Deno.test("frames on a stream that ended in order are an error of the connection", () => {
  for (const [late, code] of [[data, ErrorCode.streamClosed], [headers, ErrorCode.streamClosed]]) {
    const peer = new RawPeer();
    peer.recorder.request = ({ stream }) => stream.respond({ status: 204, fields: [] }, true);
    const id = peer.open(true);
    peer.send(late === data ? frame(data, 0, id, [1]) : peer.headers(id, ["x", "y"]));
    assert.equal(peer.goaway(), code);
  }
});

Deno.test("an acknowledgement of SETTINGS has no payload", () => {
  const peer = new RawPeer();
  peer.send(frame(settings, ack, 0, [1]));
  assert.equal(peer.goaway(), ErrorCode.frameSizeError);
});

Deno.test("SETTINGS that would overflow a window end the connection, unanswered", () => {
  const peer = new RawPeer();
  peer.open(false);
  peer.send(frame(windowUpdate, 0, 1, u32(0x7fffffff - 65_535)));
  peer.frames();
  peer.send(frame(settings, 0, 0, setting(4, 65_536)));
  assert.deepEqual(peer.frames().map(({ type }) => type), [goaway]);
  assert.equal(peer.recorder.closed?.code, ErrorCode.flowControlError);
  assert.equal(peer.recorder.settings, 1);
});

Deno.test.each([
  // Method, status, declared length, whether the head may end the stream.
  ["GET", "200", "0", true],
  ["GET", "200", "1", false],
  ["GET", "200", "5", false],
  ["GET", "203", "5", false],
  ["GET", "204", "5", true],
  ["GET", "205", "5", false],
  ["GET", "304", "5", true],
  ["GET", "305", "5", false],
  ["HEAD", "200", "5", true],
  ["CONNECT", "200", "5", true],
  ["CONNECT", "299", "5", true],
  ["CONNECT", "300", "5", false],
])("a response to %s with status %s and a content-length of %s may end at once: %j", (
  method,
  status,
  length,
  want,
) => {
  const request = method === "CONNECT" ? { method, scheme: "", path: "" } : { method };
  const made = answering(request);
  const fields = [":status", status, "content-length", length];
  made.peer.send(made.peer.headers(made.stream.id, fields, true));
  assert.equal(made.seen.reset?.reason, want ? undefined : "content shorter than content-length");
  const other = answering(request);
  other.peer.send(other.peer.headers(other.stream.id, fields, false));
  assert.equal(other.seen.response?.status, Number(status));
  assert.equal(other.seen.ended, false);
});

Deno.test("a header list may have its limit, by HPACK's count, and nothing above it", () => {
  let size = 0;
  for (let i = 0; i < REQUEST.length; i += 2) {
    size += `${REQUEST[i]}${REQUEST[i + 1]}`.length + 32;
  }
  const taken = (maxHeaderListSize: number) => {
    const peer = edge({ maxHeaderListSize });
    // The second block is measured by itself.
    peer.open();
    peer.open();
    return [...peer.recorder.streams.keys(), ...peer.recorder.refusals.map(({ kind }) => kind)];
  };
  assert.deepEqual(taken(size), [1, 3]);
  assert.deepEqual(taken(size - 1), ["too-large", "too-large"]);
});
