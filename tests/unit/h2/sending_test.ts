import assert from "node:assert/strict";
import { EDGE_LIMITS, ErrorCode, FrameFlag, FrameType } from "../../../lib/h2/mod.ts";
import { requestPseudo, statusPseudo } from "../../../lib/h2/pseudo_headers.ts";
import { get } from "../../support/h2_pair.ts";
import { frame, RawPeer, u32 } from "../../support/h2_raw.ts";
import { OK, serving, shapes, update } from "../../support/h2_serving.ts";

const { data, goaway, headers, ping, rstStream, settings, windowUpdate } = FrameType;
const { ack, endStream } = FrameFlag;

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
