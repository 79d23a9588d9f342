/** Windows, turns, and how much output may wait. */
import assert from "node:assert/strict";
import {
  BACKEND_LIMITS,
  EDGE_LIMITS,
  ErrorCode,
  FrameFlag,
  FrameType,
} from "../../../lib/h2/mod.ts";
import { get } from "../../support/h2_pair.ts";
import { frame, RawPeer, u32 } from "../../support/h2_raw.ts";
import { OK, serving, shapes, update } from "../../support/h2_serving.ts";

const { data, ping } = FrameType;
const { endStream } = FrameFlag;

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
