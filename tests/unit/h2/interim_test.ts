import assert from "node:assert/strict";
import { EDGE_LIMITS, FrameType, type H2Stream } from "../../../lib/h2/mod.ts";
import { RawPeer } from "../../support/h2_raw.ts";

const HINT = { status: 103, fields: ["link", `</${"x".repeat(1000)}>`] };

function streamOf(peer: RawPeer): H2Stream {
  return peer.recorder.streams.get(peer.open())?.stream ?? assert.fail("a request");
}

/** Fills what waits for the owner's flush to the mark at which no more content is framed. */
function congest(peer: RawPeer): void {
  while (peer.session.pendingOutput < EDGE_LIMITS.outputHighWater) {
    peer.session.ping();
  }
}

Deno.test("informational heads are not queued behind output that nobody takes", () => {
  const peer = new RawPeer();
  const stream = streamOf(peer);
  stream.respond(HINT);
  assert.equal(peer.frames().filter(({ type }) => type === FrameType.headers).length, 1);
  congest(peer);
  const before = peer.session.pendingOutput;
  for (let i = 0; i < 100; i++) stream.respond(HINT);
  assert.equal(peer.session.pendingOutput, before);
  stream.respond({ status: 200, fields: [] }, true);
  const heads = peer.frames().filter(({ type }) => type === FrameType.headers);
  assert.equal(heads.length, 1, "the final head is");
});

Deno.test("a 100 is queued all the same: its client waits for it before it sends", () => {
  const peer = new RawPeer();
  const stream = streamOf(peer);
  congest(peer);
  const before = peer.session.pendingOutput;
  stream.respond({ status: 100, fields: [] });
  assert.ok(peer.session.pendingOutput > before);
});
