import assert from "node:assert/strict";
import {
  BACKEND_LIMITS,
  type CloseCause,
  EDGE_LIMITS,
  ErrorCode,
  FrameFlag,
  FrameType,
  H2Session,
  type Limits,
} from "../../../lib/h2/mod.ts";
import { get, Pair, post, Recorder } from "../../support/h2_pair.ts";
import { frame, RawPeer, setting, u32 } from "../../support/h2_raw.ts";

const { data, settings, ping, goaway, windowUpdate, rstStream } = FrameType;
const { endStream, ack } = FrameFlag;
const OK = { status: 200, fields: [] };

/** A client session that asked for so much, and its peer. */
function asking(count: number, limits: Partial<Limits> = {}, end = true) {
  const peer = new RawPeer({ role: "client", limits: { ...BACKEND_LIMITS, ...limits } });
  const streams = Array.from({ length: count }, () => peer.session.request(post("/"), end));
  peer.frames();
  return { peer, streams, seen: streams.map((stream) => peer.recorder.seen(stream)) };
}

/** A server session with one open stream. */
function serving(limits: Partial<Limits> = {}) {
  const peer = new RawPeer({ limits: { ...EDGE_LIMITS, ...limits } });
  const id = peer.open(false);
  const seen = peer.recorder.streams.get(id) ?? assert.fail();
  return { peer, id, seen, stream: seen.stream };
}

Deno.test("a session begins on its owner's clock", () => {
  const recorder = new Recorder();
  const session = new H2Session({ role: "client", handler: recorder, now: 5000 });
  session.ping();
  session.receive(frame(settings, 0, 0), 5010);
  session.receive(frame(ping, ack, 0, [0, 0, 0, 0, ...u32(1)]), 5010);
  assert.deepEqual(recorder.pongs, [10]);
});

Deno.test("a request that has ended takes no content", () => {
  const { streams } = asking(1);
  assert.throws(() => streams[0]?.sendData(Uint8Array.of(1)), /the stream was ended/);
});

Deno.test("what a server still sends on streams that its GOAWAY left out is ignored", () => {
  const { peer, streams, seen } = asking(2);
  peer.send(frame(goaway, 0, 0, [...u32(1), ...u32(0)]));
  assert.deepEqual(seen.map(({ reset }) => reset?.retryable), [undefined, true]);
  const late = streams[1]?.id ?? 0;
  peer.send(peer.headers(late, [":status", "200"], false), frame(data, 0, late, [1]));
  assert.equal(peer.session.closed, false);
  peer.send(peer.headers(1, [":status", "204"]));
  assert.equal(seen[0]?.response?.status, 204);
  assert.deepEqual([peer.session.closed, peer.recorder.closed?.reason], [true, "drained"]);
});

Deno.test("a client without streams is over with the GOAWAY of its server", () => {
  const { peer } = asking(0);
  peer.send(frame(goaway, 0, 0, [...u32(0), ...u32(0)]));
  assert.equal(peer.recorder.closed?.reason, "drained");
});

Deno.test("what a client still sends on a stream that we have reset is ignored, one that it has not", () => {
  const { peer, id, stream } = serving();
  peer.send(frame(settings, 0, 0, setting(4, 0)));
  stream.respond(OK);
  stream.sendData(new Uint8Array(10), true);
  stream.reset(ErrorCode.noError);
  peer.send(frame(windowUpdate, 0, id, u32(10)));
  assert.equal(peer.session.openStreams, 0);
  peer.send(frame(data, 0, id, [1]));
  assert.equal(peer.session.closed, false);
  const other = peer.open(false);
  peer.rst(other);
  peer.send(frame(data, 0, other, [1]));
  assert.equal(peer.recorder.closed?.code, ErrorCode.streamClosed);
});

Deno.test("an end is told once, whatever streams it takes along", () => {
  const causes: CloseCause[] = [];
  class Counting extends Recorder {
    override onClose(cause: CloseCause): void {
      causes.push(cause);
    }
  }
  for (const role of ["client", "server"] as const) {
    const handler = new Counting();
    const session = new H2Session({ role, handler, now: 0 });
    const peer = new RawPeer({ role: role === "client" ? "server" : "client", greet: false });
    for (const octets of peer.session.takeOutput()) session.receive(octets, 0);
    if (role === "client") session.request(get("/"));
    session.shutdown();
    session.close(ErrorCode.internalError, "broken");
    session.close(ErrorCode.internalError, "again");
    assert.deepEqual(causes.splice(0).map(({ reason }) => reason), ["broken"]);
    assert.equal(session.closed, true);
  }
});

Deno.test("content that goes out pays for PINGs", () => {
  const { peer, stream } = serving({ control: { burst: 1, perSecond: 0 } });
  stream.respond(OK);
  const pings = (count: number) => {
    for (let i = 0; i < count; i++) peer.send(frame(ping, 0, 0, new Uint8Array(8)));
    return peer.session.closed;
  };
  assert.equal(pings(2), false);
  stream.sendData(new Uint8Array(256));
  assert.equal(pings(1), false);
  stream.sendData(new Uint8Array(255));
  peer.frames();
  assert.equal(pings(1), true);
  assert.deepEqual(peer.frames().map(({ type }) => type), [goaway], "and is not answered");
});

Deno.test("a stream that ends in order gives a client's connection one reset back", () => {
  const { peer, streams } = asking(6, { resets: { burst: 1, perSecond: 0 } });
  const id = (n: number) => streams[n]?.id ?? 0;
  peer.rst(id(0));
  peer.send(peer.headers(id(1), [":status", "204"]));
  peer.rst(id(2));
  assert.equal(peer.session.closed, false);
  peer.send(peer.headers(id(3), [":status", "204"]));
  peer.rst(id(4));
  assert.equal(peer.session.closed, false);
  peer.rst(id(5));
  assert.equal(peer.recorder.closed?.reason, "too many resets");
});

Deno.test("content that nobody consumed is given back to the connection with its stream", () => {
  const { peer, id, stream } = serving({ connectionWindow: 65_536 });
  peer.recorder.autoConsume = false;
  for (let i = 0; i < 2; i++) peer.send(frame(data, 0, id, new Uint8Array(16_384)));
  stream.reset(ErrorCode.cancel);
  assert.deepEqual(peer.frames().map(({ type, payload }) => [type, ...payload]), [
    [rstStream, ...u32(ErrorCode.cancel)],
    [windowUpdate, ...u32(32_768)],
  ]);
  const closing = serving({ connectionWindow: 65_536 });
  closing.peer.recorder.autoConsume = false;
  for (let i = 0; i < 2; i++) closing.peer.send(frame(data, 0, closing.id, new Uint8Array(16_384)));
  closing.peer.session.close(ErrorCode.noError, "bye");
  assert.deepEqual(closing.peer.frames().map(({ type }) => type), [goaway]);
});

Deno.test("a stream that its owner resets with the last content has not ended in order", () => {
  const { peer, id, stream, seen } = serving();
  stream.respond(OK, true);
  peer.recorder.data = () => stream.reset(ErrorCode.cancel);
  peer.send(frame(data, endStream, id, [1]));
  assert.equal(seen.closedInOrder, false);
  assert.equal(peer.session.openStreams, 0);
});

Deno.test("a request that broke a rule may not be sent again", () => {
  const { peer, streams, seen } = asking(1);
  peer.send(peer.headers(streams[0]?.id ?? 0, [":status", "20"]));
  assert.deepEqual([seen[0]?.reset?.by, seen[0]?.reset?.retryable], ["rules", false]);
});

Deno.test.each([[ErrorCode.noError, undefined], [ErrorCode.cancel, ErrorCode.cancel]])(
  "a reset with code %i after a whole response is told as %j while the request goes on",
  (code, want) => {
    const { peer, streams, seen } = asking(1, {}, false);
    const id = streams[0]?.id ?? 0;
    peer.send(peer.headers(id, [":status", "204"]));
    assert.equal(peer.session.openStreams, 1);
    peer.rst(id, code);
    assert.equal(peer.session.openStreams, 0);
    assert.deepEqual([seen[0]?.reset?.code, seen[0]?.closedInOrder], [want, want === undefined]);
  },
);

Deno.test("SETTINGS and their acknowledgement have their time, to the millisecond", () => {
  const { prefaceTimeoutMs, settingsTimeoutMs } = EDGE_LIMITS;
  const silent = new RawPeer({ role: "client", greet: false });
  silent.session.tick(prefaceTimeoutMs - 1);
  assert.equal(silent.session.closed, false);
  silent.session.tick(prefaceTimeoutMs);
  assert.equal(silent.recorder.closed?.reason, "no SETTINGS in time");
  const half = new RawPeer({ role: "client", greet: false });
  half.send(frame(settings, 0, 0));
  half.frames();
  half.session.tick(settingsTimeoutMs - 1);
  assert.equal(half.session.closed, false);
  half.session.tick(settingsTimeoutMs);
  assert.equal(half.recorder.closed?.reason, "SETTINGS not acknowledged in time");
});

Deno.test("a pair that says goodbye is over on both sides, and its streams are to be retried or not", () => {
  const pair = new Pair();
  const early = pair.client.request(get("/"), true);
  pair.client.abort("lost");
  assert.equal(pair.clientSide.seen(early).reset?.retryable, true, "it never spoke HTTP/2");
  assert.equal(pair.client.closed, true);
});

Deno.test("DATA that was on its way when an early answer ended the stream is ignored", () => {
  const peer = new RawPeer();
  const id = peer.open(false);
  const stream = peer.recorder.streams.get(id)?.stream;
  assert(stream);
  stream.respond({ status: 200, fields: [] });
  // More than the window: the stream ends when the last octet has gone.
  stream.sendData(new Uint8Array(70_000), true);
  stream.reset(ErrorCode.noError);
  assert.equal(peer.resetCode(id), undefined);
  peer.send(frame(FrameType.windowUpdate, 0, 0, u32(70_000)));
  peer.send(frame(FrameType.windowUpdate, 0, id, u32(70_000)));
  assert.equal(peer.resetCode(id), ErrorCode.noError);
  peer.send(frame(FrameType.data, 0, id, [1, 2, 3]));
  assert.deepEqual(
    peer.frames().filter(({ type }) => type !== FrameType.windowUpdate),
    [],
  );
});
