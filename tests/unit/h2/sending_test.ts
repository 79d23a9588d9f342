import assert from "node:assert/strict";
import {
  BACKEND_LIMITS,
  CLIENT_PREFACE,
  EDGE_LIMITS,
  ErrorCode,
  FrameFlag,
  FrameType,
  H2Session,
  type Limits,
} from "../../../lib/h2/mod.ts";
import { requestPseudo, statusPseudo } from "../../../lib/h2/pseudo_headers.ts";
import { get, Pair, post, Recorder } from "../../support/h2_pair.ts";
import { frame, RawPeer, setting, u32 } from "../../support/h2_raw.ts";

const { data, headers, rstStream, settings, ping, goaway, windowUpdate } = FrameType;
const { endStream, ack } = FrameFlag;
const OK = { status: 200, fields: [] };

/** A server session with one open stream on which the peer takes so many octets for now. */
function serving(window: number, limits: Partial<Limits> = {}) {
  const peer = new RawPeer({ limits: { ...EDGE_LIMITS, ...limits } });
  peer.send(frame(settings, 0, 0, setting(4, window)));
  const id = peer.open(false);
  const stream = peer.recorder.streams.get(id)?.stream;
  assert(stream);
  stream.respond(OK);
  peer.frames();
  return { peer, id, stream, seen: peer.recorder.seen(stream) };
}

const update = (id: number, octets: number) => frame(windowUpdate, 0, id, u32(octets));

/** Type, flags and octets of each frame that waits. */
const shapes = (peer: RawPeer) =>
  peer.frames().map(({ type, flags, payload }) => [type, flags, payload.length]);

Deno.test("content goes in the order of its calls, and ends with the last of it", () => {
  const { peer, id, stream } = serving(0);
  assert.equal(stream.sendData(new Uint8Array(0)), true);
  assert.deepEqual(shapes(peer), [], "nothing is not a frame");
  stream.sendData(Uint8Array.of(1));
  stream.sendData(Uint8Array.of(2), false);
  assert.equal(stream.bufferedOctets, 2);
  peer.send(update(id, 1));
  assert.deepEqual(shapes(peer), [[data, 0, 1]]);
  stream.sendData(new Uint8Array(0), true);
  assert.deepEqual(shapes(peer), []);
  peer.send(update(id, 10));
  assert.deepEqual(shapes(peer), [[data, endStream, 1]]);
  assert.equal(stream.state, "half-closed (local)");
});

Deno.test("content that fits goes at once, a single octet too, and tells the owner", () => {
  const { peer, stream } = serving(100);
  const before = peer.recorder.outputs;
  stream.sendData(Uint8Array.of(7));
  assert.equal(peer.recorder.outputs, before + 1);
  stream.sendData(Uint8Array.of(8));
  assert.equal(peer.recorder.outputs, before + 1, "told of once");
  assert.deepEqual(shapes(peer), [[data, 0, 1], [data, 0, 1]]);
  stream.sendData(new Uint8Array(98));
  stream.sendData(new Uint8Array(0), true);
  assert.deepEqual(
    shapes(peer),
    [[data, 0, 98], [data, endStream, 0]],
    "an empty frame needs no window",
  );
});

Deno.test("content that is queued and not the last does not end its stream", () => {
  const { peer, id, stream } = serving(0);
  stream.sendData(new Uint8Array(10));
  peer.send(update(id, 10));
  assert.deepEqual(shapes(peer), [[data, 0, 10]]);
  assert.equal(stream.state, "open");
});

Deno.test("trailers wait for the content before them", () => {
  const { peer, id, stream } = serving(0);
  stream.sendData(new Uint8Array(100));
  stream.sendTrailers(["x", "y"]);
  peer.send(update(id, 50));
  assert.deepEqual(shapes(peer), [[data, 0, 50]]);
  peer.send(update(id, 50));
  const [content, trailers] = peer.frames();
  assert.deepEqual([content?.type, content?.flags], [data, 0]);
  assert.deepEqual([trailers?.type, (trailers?.flags ?? 0) & endStream], [headers, endStream]);
});

Deno.test("calls after the end of a stream throw, before a head too", () => {
  const peer = new RawPeer();
  const { stream } = peer.recorder.streams.get(peer.open(false)) ?? assert.fail();
  assert.throws(() => stream.sendData(Uint8Array.of(1)), /no head was sent/);
  assert.throws(() => stream.sendTrailers([]), /no head was sent/);
  assert.throws(() => stream.respond({ status: 103, fields: [] }, true), /informational/);
  stream.respond({ status: 103, fields: [] });
  stream.respond(OK);
  assert.throws(() => stream.respond(OK), /a final head was sent/);
  stream.sendTrailers(["x", "y"]);
  assert.throws(() => stream.sendData(Uint8Array.of(1)), /the stream was ended/);
  assert.throws(() => stream.sendTrailers([]), /the stream was ended/);
  const client = new RawPeer({ role: "client" });
  assert.throws(() => client.session.request(get("/")).respond(OK), /this is a client session/);
});

Deno.test.each([[871, true], [872, true], [873, false]])(
  "sendData() of %i octets into a buffer of 1,000 with a chunk's cost of 128: %j",
  (octets, want) => {
    const { peer, stream } = serving(0, { streamSendBuffer: 1000 });
    assert.equal(stream.sendData(new Uint8Array(octets)), want);
    assert.deepEqual(shapes(peer), []);
  },
);

Deno.test("an owner that was asked to pause is called once half of the buffer is free", () => {
  const { peer, id, stream, seen } = serving(0, { streamSendBuffer: 1000 });
  assert.equal(stream.sendData(new Uint8Array(900)), false);
  peer.send(update(id, 900 - 373));
  assert.equal(seen.drains, 0);
  peer.send(update(id, 1));
  assert.equal(seen.drains, 1);
  peer.send(update(id, 100));
  assert.equal(seen.drains, 1);
  // Not asked to pause: not called.
  const other = serving(0, { streamSendBuffer: 1000 });
  assert.equal(other.stream.sendData(new Uint8Array(800)), true);
  other.peer.send(update(other.id, 800));
  assert.equal(other.seen.drains, 0);
});

Deno.test("queued streams take turns, however often one's window is opened", () => {
  const peer = new RawPeer({ limits: { ...EDGE_LIMITS, outputHighWater: 1 } });
  const ids = [peer.open(false), peer.open(false)];
  for (const id of ids) {
    const stream = peer.recorder.streams.get(id)?.stream;
    stream?.respond(OK);
    stream?.sendData(new Uint8Array(30_000));
  }
  for (let i = 0; i < 4; i++) peer.send(update(ids[0] ?? 0, 1000));
  const order: number[] = [];
  for (let i = 0; i < 8; i++) {
    for (const { type, streamId } of peer.frames()) if (type === data) order.push(streamId);
  }
  assert.deepEqual(order, [1, 3, 1, 3]);
});

Deno.test("a window of one octet is used", () => {
  const { peer, id, stream } = serving(100_000);
  for (let i = 0; i < 5; i++) stream.sendData(new Uint8Array(16_384));
  const sent = peer.frames().reduce((sum, { payload }) => sum + payload.length, 0);
  assert.equal(sent, 65_535);
  peer.send(update(0, 1));
  assert.deepEqual(shapes(peer), [[data, 0, 1]]);
  peer.send(update(id, 5));
  assert.deepEqual(shapes(peer), []);
});

Deno.test("nothing is framed while enough output waits, but for the end of a stream", () => {
  const { peer, stream } = serving(60_000, { outputHighWater: 1000 });
  stream.sendData(new Uint8Array(2000));
  const { pendingOutput } = peer.session;
  assert.equal(peer.session.congested, true);
  stream.sendData(Uint8Array.of(1));
  assert.equal(peer.session.pendingOutput, pendingOutput);
  assert.deepEqual([...shapes(peer), ...shapes(peer)], [[data, 0, 2000], [data, 0, 1]]);
  const other = serving(60_000, { outputHighWater: 1000 });
  other.stream.sendData(new Uint8Array(2000));
  other.stream.sendData(new Uint8Array(0), true);
  assert.deepEqual(shapes(other.peer), [[data, 0, 2000], [data, endStream, 0]]);
});

Deno.test("a peer that does not read what it asked for is cut off", () => {
  const peer = new RawPeer({ limits: { ...EDGE_LIMITS, maxOutput: 200 } });
  let pings = 0;
  for (; !peer.session.closed && pings < 100; pings++) {
    peer.send(frame(ping, 0, 0, new Uint8Array(8)));
  }
  // Each answer has 17 octets: twelve are 204.
  assert.equal(pings, 12);
  assert.equal(peer.recorder.closed?.reason, "peer does not read what it asked for");
});

Deno.test("WINDOW_UPDATE frames are paid for by frames of content that are not slivers", () => {
  const limits = { windowUpdates: { burst: 4, perSecond: 0 } };
  /** How many updates pass after content of so many octets through a window of so many. */
  const passing = (octets: number, window: number) => {
    const { peer, id, stream } = serving(window, limits);
    for (let i = 0; i < 4; i++) peer.send(update(id, 1));
    stream.sendData(new Uint8Array(octets));
    let passed = 0;
    for (; passed < 20; passed++) {
      peer.send(update(0, 1));
      if (peer.session.closed) break;
    }
    return passed;
  };
  assert.equal(passing(0, 2000), 0);
  assert.equal(passing(1024, 2000), 4);
  assert.equal(passing(10, 2000), 4, "all there was");
  assert.equal(passing(3000, 1020), 4, "1,024 octets of 3,000");
  assert.equal(passing(3000, 1019), 0, "a sliver of 3,000");
});

Deno.test("frames of ours have no flags but their own", () => {
  const { peer, id, stream } = serving(0);
  peer.send(frame(data, 0, id, new Uint8Array(60_000 - 16_384 * 3)));
  for (let i = 0; i < 3; i++) peer.send(frame(data, 0, id, new Uint8Array(16_384)));
  peer.send(frame(ping, 0, 0, [1, 2, 3, 4, 5, 6, 7, 8]), frame(settings, 0, 0));
  peer.session.ping();
  stream.reset(ErrorCode.cancel);
  peer.session.close(ErrorCode.internalError, "x".repeat(200));
  const frames = peer.frames();
  const of = (wanted: number) => frames.filter(({ type }) => type === wanted);
  assert.deepEqual(of(windowUpdate).map(({ flags, streamId }) => [flags, streamId]), [[0, id]]);
  assert.deepEqual(of(ping).map(({ flags }) => flags), [ack, 0]);
  assert.deepEqual(of(settings).map(({ flags, payload }) => [flags, payload.length]), [[ack, 0]]);
  assert.deepEqual(of(rstStream).map(({ flags, streamId }) => [flags, streamId]), [[0, id]]);
  const [last] = of(goaway);
  assert.deepEqual([last?.flags, last?.streamId], [0, 0]);
  const said = [...u32(id), ...u32(ErrorCode.internalError), ...new Array(128).fill(0x78)];
  assert.deepEqual([...last?.payload ?? []], said);
});

Deno.test("the end of a connection is output of which the owner hears", () => {
  const peer = new RawPeer();
  peer.frames();
  const before = peer.recorder.outputs;
  peer.session.close(ErrorCode.noError, "bye");
  assert.equal(peer.recorder.outputs, before + 1);
  assert.equal(new TextDecoder().decode(peer.frames()[0]?.payload.subarray(8)), "bye");
});

Deno.test("consume() opens the windows by what arrived, and by no more", () => {
  const peer = new RawPeer({ limits: { ...EDGE_LIMITS, connectionWindow: 65_536 } });
  peer.recorder.autoConsume = false;
  const id = peer.open(false);
  const { stream } = peer.recorder.streams.get(id) ?? assert.fail();
  for (let i = 0; i < 3; i++) peer.send(frame(data, 0, id, new Uint8Array(16_384)));
  for (const octets of [0, -1, -50_000]) stream.consume(octets);
  stream.consume(16_384);
  assert.deepEqual(shapes(peer), []);
  stream.consume(16_384);
  const updates = () =>
    peer.frames().map(({ streamId, payload }) => [streamId, ...payload].join(" "));
  const opened = (octets: number) => u32(octets).join(" ");
  assert.deepEqual(updates(), [`${id} ${opened(32_768)}`, `0 ${opened(32_768)}`]);
  stream.consume(1_000_000);
  stream.consume(1_000_000);
  assert.deepEqual(updates(), []);
  peer.send(frame(data, 0, id, new Uint8Array(16_383)), frame(data, endStream, id, [1]));
  stream.consume(16_384);
  assert.deepEqual(updates(), [`0 ${opened(32_768)}`], "of the stream nothing more comes");
});

Deno.test("a connection that credits on receipt is not credited again by its owner", () => {
  const limits = { ...BACKEND_LIMITS, connectionWindow: 65_536 };
  const peer = new RawPeer({ role: "client", limits });
  const stream = peer.session.request(get("/"), true);
  peer.send(peer.headers(stream.id, [":status", "200"], false));
  peer.frames();
  peer.recorder.autoConsume = false;
  for (let i = 0; i < 2; i++) peer.send(frame(data, 0, stream.id, new Uint8Array(16_384)));
  const opened = () => peer.frames().map(({ streamId, payload }) => [streamId, ...payload]);
  assert.deepEqual(opened(), [[0, ...u32(32_768)]]);
  stream.consume(32_768);
  assert.deepEqual(opened(), [[stream.id, ...u32(32_768)]]);
  for (let i = 0; i < 2; i++) peer.send(frame(data, 0, stream.id, new Uint8Array(16_384)));
  stream.reset(ErrorCode.cancel);
  assert.deepEqual(opened(), [[0, ...u32(32_768)], [stream.id, ...u32(ErrorCode.cancel)]]);
});

Deno.test("reset(NO_ERROR) waits for an end that is queued, and for nothing else", () => {
  const queued = serving(0);
  queued.stream.sendData(new Uint8Array(10), true);
  queued.stream.reset(ErrorCode.noError);
  assert.deepEqual(shapes(queued.peer), []);
  queued.peer.send(update(queued.id, 10));
  assert.deepEqual(shapes(queued.peer), [[data, endStream, 10], [rstStream, 0, 4]]);
  assert.equal(queued.peer.session.openStreams, 0);

  const cancelled = serving(0);
  cancelled.stream.sendData(new Uint8Array(10), true);
  cancelled.stream.reset(ErrorCode.cancel);
  assert.deepEqual(shapes(cancelled.peer), [[rstStream, 0, 4]]);
  assert.equal(cancelled.stream.bufferedOctets, 0);

  const open = serving(0);
  open.stream.reset(ErrorCode.noError);
  assert.deepEqual(shapes(open.peer), [[rstStream, 0, 4]]);

  const sent = serving(100);
  sent.stream.sendData(new Uint8Array(10), true);
  sent.stream.reset(ErrorCode.noError);
  assert.deepEqual(shapes(sent.peer), [[data, endStream, 10], [rstStream, 0, 4]]);
  sent.stream.reset(ErrorCode.cancel);
  assert.deepEqual(shapes(sent.peer), [], "once");
});

Deno.test("a server resets without a budget, a client within one, and forgets the content at once", () => {
  const none = { ownResets: { burst: 0, perSecond: 1 } };
  const server = serving(0, none);
  server.stream.reset(ErrorCode.cancel);
  assert.deepEqual(shapes(server.peer), [[rstStream, 0, 4]]);

  const peer = new RawPeer({ role: "client", limits: { ...BACKEND_LIMITS, ...none } });
  const stream = peer.session.request(post("/"));
  stream.sendData(new Uint8Array(100_000), true);
  assert(stream.bufferedOctets > 0);
  peer.frames();
  stream.reset(ErrorCode.cancel);
  assert.equal(stream.bufferedOctets, 0);
  assert.equal(stream.sendData(Uint8Array.of(1)), false);
  stream.sendTrailers(["x", "y"]);
  stream.consume(1);
  stream.reset(ErrorCode.noError);
  assert.deepEqual(shapes(peer), []);
  assert.equal(peer.session.openStreams, 1);
  peer.now = 1000;
  peer.session.tick(peer.now);
  assert.deepEqual(shapes(peer).slice(-1), []);
});

Deno.test("pseudo-headers of a status are made once, those of a request leave out what is empty", () => {
  assert.deepEqual(statusPseudo(200), [":status", "200"]);
  assert.equal(statusPseudo(200), statusPseudo(200));
  assert.equal(statusPseudo(599), statusPseudo(599));
  assert.deepEqual(statusPseudo(600), [":status", "600"]);
  const connect = { method: "CONNECT", scheme: "", authority: "a", path: "", fields: [] };
  assert.deepEqual(requestPseudo(connect), [":method", "CONNECT", ":authority", "a"]);
  assert.deepEqual(requestPseudo({ ...connect, protocol: "" }), requestPseudo(connect));
  assert.deepEqual(requestPseudo({ ...get("/"), protocol: "websocket" }), [
    ":method",
    "GET",
    ":scheme",
    "https",
    ":authority",
    "example.net",
    ":path",
    "/",
    ":protocol",
    "websocket",
  ]);
});

Deno.test.each([[65_534, 65_535, true], [65_535, 65_534, true], [65_535, 65_535, false]])(
  "a session with windows of %i and %i octets is refused: %j",
  (streamWindow, connectionWindow, refused) => {
    const limits = { ...EDGE_LIMITS, streamWindow, connectionWindow };
    const make = () => new RawPeer({ limits, greet: false });
    if (refused) return assert.throws(make, RangeError);
    assert.deepEqual(shapes(make()).map(([type]) => type), [settings], "no window to open");
  },
);

Deno.test("a client greets with what it wants, and pushes nothing", () => {
  const peer = new RawPeer({ role: "client", greet: false });
  const [first, ...more] = peer.frames();
  assert.deepEqual([first?.type, first?.flags, first?.streamId], [settings, 0, 0]);
  assert.deepEqual([...first?.payload ?? []], [
    ...setting(2, 0),
    ...setting(4, BACKEND_LIMITS.streamWindow),
    ...setting(6, BACKEND_LIMITS.maxHeaderListSize),
  ]);
  assert.deepEqual(more.map(({ type, streamId, payload }) => [type, streamId, ...payload]), [
    [windowUpdate, 0, ...u32(BACKEND_LIMITS.connectionWindow - 65_535)],
  ]);
  const server = new RawPeer();
  assert.equal(server.session.canOpenStream, false);
});

Deno.test("the preface may come octet by octet, and all of it is looked at", () => {
  for (let wrong = -1; wrong < CLIENT_PREFACE.length; wrong++) {
    const peer = new RawPeer({ greet: false });
    for (const [i, octet] of CLIENT_PREFACE.entries()) {
      peer.send(Uint8Array.of(i === wrong ? octet ^ 1 : octet));
      assert.equal(peer.session.closed, wrong >= 0 && i >= wrong, `${wrong} ${i}`);
    }
    peer.send(frame(settings, 0, 0));
    assert.equal(peer.session.settingsReceived, wrong < 0);
  }
});

Deno.test("receive() takes everything once the session is over", () => {
  const peer = new RawPeer();
  peer.session.close(ErrorCode.noError, "bye");
  assert.equal(peer.session.receive(new Uint8Array(77), 5), 77);
  const broken = new RawPeer();
  const octets = Uint8Array.from([...frame(ping, 0, 0, [1]), ...new Uint8Array(50)]);
  assert.equal(broken.session.receive(octets, 5), octets.length);
  assert.equal(broken.session.closed, true);
});

Deno.test("the notice of a drain ends by time, counted from its beginning", () => {
  const peer = new RawPeer();
  peer.open(false);
  peer.now = 5000;
  peer.session.tick(5000);
  peer.session.shutdown();
  peer.frames();
  const { drainNoticeMs } = EDGE_LIMITS;
  peer.session.tick(5000 + drainNoticeMs - 1);
  assert.deepEqual(shapes(peer), []);
  peer.session.tick(5000 + drainNoticeMs);
  assert.deepEqual(shapes(peer).map(([type]) => type), [goaway]);
  peer.session.tick(9e6);
  assert(!shapes(peer).some(([type, , length]) => type === goaway && length === 16), "said once");
});

Deno.test("PINGs are measured from the first that is not answered, each answer once", () => {
  const pair = new Pair();
  pair.run();
  const at = (now: number) => {
    pair.now = now;
    pair.client.tick(now);
  };
  pair.client.ping();
  at(30);
  pair.client.ping();
  at(50);
  pair.run();
  assert.deepEqual(pair.clientSide.pongs, [50]);
  at(70);
  pair.client.ping();
  at(75);
  pair.run();
  assert.deepEqual(pair.clientSide.pongs, [50, 5]);

  const peer = new RawPeer();
  const answer = (serial: number) => peer.send(frame(ping, ack, 0, [0, 0, 0, 0, ...u32(serial)]));
  answer(0);
  peer.session.ping();
  peer.session.ping();
  answer(1);
  assert.deepEqual(peer.recorder.pongs, [], "not the last one");
  answer(2);
  answer(2);
  assert.deepEqual(peer.recorder.pongs, [0]);
  peer.session.close(ErrorCode.noError, "bye");
  peer.frames();
  peer.session.ping();
  assert.deepEqual(shapes(peer), []);
});

Deno.test("a client that drains without a stream is over at once", () => {
  const peer = new RawPeer({ role: "client" });
  peer.session.shutdown();
  assert.equal(peer.recorder.closed?.reason, "drained");
  const [last] = peer.frames();
  assert.deepEqual([last?.type, ...last?.payload.subarray(0, 8) ?? []], [
    goaway,
    ...u32(0),
    ...u32(0),
  ]);
  peer.session.shutdown();
  assert.deepEqual(shapes(peer), []);
  const server = new RawPeer();
  server.session.close(ErrorCode.noError, "bye");
  server.frames();
  server.session.shutdown();
  assert.deepEqual(shapes(server), []);
});

Deno.test("a frame that begins at the start of the clock has its time too", () => {
  const peer = new RawPeer();
  const bytes = frame(ping, 0, 0, new Uint8Array(8));
  peer.send(bytes.subarray(0, 3));
  peer.now = EDGE_LIMITS.headerBlockTimeoutMs - 1;
  peer.send(bytes.subarray(3, 5));
  peer.session.tick(peer.now);
  assert.equal(peer.session.closed, false);
  peer.session.tick(EDGE_LIMITS.headerBlockTimeoutMs);
  assert.equal(peer.recorder.closed?.reason, "frame not finished in time");
});

Deno.test("a stream that both sides have ended is closed, queued content or not", () => {
  const { peer, id, stream } = serving(0);
  assert.equal(stream.state, "open");
  stream.sendData(new Uint8Array(10), true);
  assert.equal(stream.state, "half-closed (local)");
  peer.send(frame(data, endStream, id, [1]));
  assert.equal(stream.state, "closed");
  assert.equal(peer.session.openStreams, 1);
  peer.send(update(id, 10));
  assert.equal(peer.session.openStreams, 0);
  const ended = serving(0);
  ended.peer.send(frame(data, endStream, ended.id, [1]));
  assert.equal(ended.stream.state, "half-closed (remote)");
  assert.equal(new H2Session({ role: "server", handler: new Recorder(), now: 0 }).draining, false);
});
