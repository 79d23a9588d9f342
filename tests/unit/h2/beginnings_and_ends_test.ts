/** How connections and streams begin, end, and are timed. */
import assert from "node:assert/strict";
import {
  BACKEND_LIMITS,
  CLIENT_PREFACE,
  EDGE_LIMITS,
  ErrorCode,
  FrameFlag,
  FrameType,
  H2Session,
} from "../../../lib/h2/mod.ts";
import { Pair, post, Recorder } from "../../support/h2_pair.ts";
import { frame, RawPeer, setting, u32 } from "../../support/h2_raw.ts";
import { serving, shapes, update } from "../../support/h2_serving.ts";

const { data, goaway, ping, rstStream, settings, windowUpdate } = FrameType;
const { ack, endStream } = FrameFlag;

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
