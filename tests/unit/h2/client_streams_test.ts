import assert from "node:assert/strict";
import { BACKEND_LIMITS, ErrorCode, FrameType } from "../../../lib/h2/mod.ts";
import { MANY_STREAMS } from "../../support/h2_flood.ts";
import { get } from "../../support/h2_pair.ts";
import { frame, RawPeer, setting } from "../../support/h2_raw.ts";

Deno.test("H2Session as a client opens no more streams than it wants, whatever it may", () => {
  const peer = new RawPeer({ role: "client" });
  peer.send(frame(FrameType.settings, 0, 0, setting(3, 100_000)));
  const { maxOwnStreams } = BACKEND_LIMITS;
  const streams = Array.from({ length: maxOwnStreams }, () => peer.session.request(get("/"), true));
  peer.session.takeOutput();
  assert(!peer.session.canOpenStream);
  assert.equal(peer.session.streamLimit, maxOwnStreams);
  assert.equal(peer.recorder.available, 0);
  streams[7]?.reset(ErrorCode.cancel);
  assert.equal(peer.recorder.available, 1);
  assert(peer.session.canOpenStream);
  peer.send(frame(FrameType.settings, 0, 0, setting(3, 5)));
  assert.equal(peer.session.streamLimit, 5);
});

Deno.test("H2Session as a client does not let streams that nobody reads stop the others", () => {
  const peer = new RawPeer({ role: "client", limits: MANY_STREAMS });
  peer.send(frame(FrameType.settings, 0, 0, setting(3, 2000)));
  const { streamWindow, connectionWindow } = BACKEND_LIMITS;
  peer.recorder.autoConsume = false;
  const full = new Uint8Array(16384);
  let room = connectionWindow;
  const opened = () => {
    const updates = peer.frames().filter(({ type }) => type === FrameType.windowUpdate);
    for (const { streamId, payload } of updates) {
      if (streamId === 0) room += new DataView(payload.buffer).getUint32(0);
    }
    return updates.filter(({ streamId }) => streamId !== 0).length;
  };
  const streams = Array.from({ length: 2 * connectionWindow / streamWindow }, () => {
    const stream = peer.session.request(get("/"), true);
    peer.send(peer.headers(stream.id, [":status", "200"], false));
    for (let at = 0; at < streamWindow; at += full.length) {
      peer.send(frame(FrameType.data, 0, stream.id, full));
    }
    room -= streamWindow;
    assert.equal(opened(), 0, "a stream that is not read stays closed");
    assert(room > connectionWindow / 4, `${room} octets are left for others`);
    return stream;
  });
  for (const stream of streams) stream.consume(streamWindow);
  assert.equal(opened(), streams.length);
  for (const stream of streams) stream.reset(ErrorCode.cancel);
  opened();
  assert(room <= connectionWindow, "no octet is given back twice");
});
