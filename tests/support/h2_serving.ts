/**
 * A server of HTTP/2 with a stream that is asked for, and the frames that it sends.
 *
 * @module
 */
import assert from "node:assert/strict";
import { EDGE_LIMITS, FrameType, type Limits } from "../../lib/h2/mod.ts";
import { frame, RawPeer, setting, u32 } from "./h2_raw.ts";

/** A head without fields. */
export const OK = { status: 200, fields: [] };

/** A server session with one open stream on which the peer takes so many octets for now. */
export function serving(window: number, limits: Partial<Limits> = {}) {
  const peer = new RawPeer({ limits: { ...EDGE_LIMITS, ...limits } });
  peer.send(frame(FrameType.settings, 0, 0, setting(4, window)));
  const id = peer.open(false);
  const stream = peer.recorder.streams.get(id)?.stream;
  assert(stream);
  stream.respond(OK);
  peer.frames();
  return { peer, id, stream, seen: peer.recorder.seen(stream) };
}

/** A WINDOW_UPDATE frame. */
export const update = (id: number, octets: number) =>
  frame(FrameType.windowUpdate, 0, id, u32(octets));

/** Type, flags and octets of each frame that waits. */
export const shapes = (peer: RawPeer) =>
  peer.frames().map(({ type, flags, payload }) => [type, flags, payload.length]);
