/** Frames that a client gets of its backend. */
import assert from "node:assert/strict";
import { BACKEND_LIMITS, EDGE_LIMITS, ErrorCode, FrameType } from "../../../lib/h2/mod.ts";
import { get, Pair, post } from "../../support/h2_pair.ts";
import { frame, RawPeer, setting } from "../../support/h2_raw.ts";
import { answering } from "../../support/h2_frames.ts";

const { data, settings } = FrameType;

Deno.test("SETTINGS tell the owner, and a client that waited for a stream", () => {
  const peer = new RawPeer({ role: "client" });
  assert.equal(peer.recorder.settings, 1);
  peer.send(frame(settings, 0, 0, setting(3, 1)));
  assert.equal(peer.session.canOpenStream, true);
  peer.session.request(get("/"), true);
  assert.equal(peer.session.canOpenStream, false);
  peer.send(frame(settings, 0, 0, setting(3, 1)));
  assert.equal(peer.recorder.available, 0);
  peer.send(frame(settings, 0, 0, setting(3, 2)));
  assert.deepEqual([peer.recorder.settings, peer.recorder.available], [4, 1]);
  assert.equal(peer.session.canOpenStream, true);
  peer.send(frame(settings, 0, 0, setting(3, 3)));
  assert.equal(peer.recorder.available, 1, "nobody waits");
});

Deno.test.each([
  [false, ErrorCode.refusedStream, true],
  [true, ErrorCode.refusedStream, false],
  [false, ErrorCode.cancel, false],
])("a reset (after a response: %j) with code %i is retryable: %j", (responded, code, want) => {
  const { peer, stream, seen } = answering();
  if (responded) peer.send(peer.headers(stream.id, [":status", "200"], false));
  peer.rst(stream.id, code);
  assert.deepEqual([seen.reset?.code, seen.reset?.by, seen.reset?.retryable], [code, "peer", want]);
});

Deno.test("an informational head does not end its stream", () => {
  const { peer, stream, seen } = answering();
  peer.send(peer.headers(stream.id, [":status", "103"], false));
  assert.deepEqual([seen.informational.length, seen.ended], [1, false]);
  peer.send(peer.headers(stream.id, [":status", "103"], true));
  assert.equal(seen.reset?.reason, "informational response ends its stream");
});

Deno.test("a response head or trailers above the limit reset their stream", () => {
  const large = ["x", "y".repeat(400)];
  const head = answering({}, { maxHeaderListSize: 400 });
  head.peer.send(head.peer.headers(head.stream.id, [":status", "200", ...large], false));
  assert.equal(head.seen.reset?.reason, "header list too large");
  const end = answering({}, { maxHeaderListSize: 400 });
  end.peer.send(end.peer.headers(end.stream.id, [":status", "200"], false));
  end.peer.send(end.peer.headers(end.stream.id, large));
  assert.equal(end.seen.reset?.reason, "trailers too large");
  assert.equal(end.seen.trailers, undefined);
});

Deno.test.each([["0", 0, true], ["3", 3, true], ["3", 2, false], [undefined, 0, true], [
  undefined,
  3,
  true,
]])("trailers after a content-length of %s and %i octets are taken: %j", (length, sent, want) => {
  const peer = new RawPeer();
  const id = peer.open(false, length === undefined ? [] : ["content-length", length]);
  if (sent > 0) peer.send(frame(data, 0, id, new Uint8Array(sent)));
  peer.send(peer.headers(id, ["x", "y"]));
  const seen = peer.recorder.streams.get(id);
  assert.deepEqual(seen?.trailers, want ? ["x", "y"] : undefined);
  assert.equal(seen?.reset?.reason, want ? undefined : "content shorter than content-length");
  assert.equal(seen?.stream.state, want ? "half-closed (remote)" : "closed");
});

Deno.test("a client that has closed or drains opens no stream", () => {
  const closed = new Pair();
  closed.run();
  closed.client.close(ErrorCode.noError, "done");
  assert.equal(closed.client.canOpenStream, false);
  assert.throws(() => closed.client.request(get("/")), { code: "H2_STATE" });
  const draining = new Pair();
  draining.run();
  const stream = draining.client.request(post("/"));
  assert.equal(draining.client.draining, false);
  draining.client.shutdown();
  assert.equal(draining.client.draining, true);
  assert.equal(draining.client.canOpenStream, false);
  assert.equal(stream.state, "open");
});

Deno.test("a session is congested from its high water on", () => {
  const pending = new RawPeer({ greet: false }).session.pendingOutput;
  const at = (outputHighWater: number) =>
    new RawPeer({ greet: false, limits: { ...EDGE_LIMITS, outputHighWater } }).session.congested;
  assert.deepEqual([at(pending), at(pending + 1)], [true, false]);
});

Deno.test("a client that has reset more streams than it remembers counts what comes for them", () => {
  const peer = new RawPeer({
    role: "client",
    limits: { ...BACKEND_LIMITS, control: { burst: 1, perSecond: 0 } },
  });
  for (let i = 0; i < 300; i++) peer.session.request(get("/"), true).reset(ErrorCode.cancel);
  const late = () => peer.send(peer.headers(1, [":status", "204"]));
  late();
  late();
  assert.equal(peer.session.closed, false);
  late();
  assert.equal(peer.recorder.closed?.reason, "too many frames on closed streams");
});
