/**
 * Sessions of HTTP/2 that get frames of a backend that says anything.
 *
 * @module
 */
import { BACKEND_LIMITS, type Limits } from "../../lib/h2/mod.ts";
import { get } from "./h2_pair.ts";
import { RawPeer } from "./h2_raw.ts";

/** A client session that has sent one request, and its peer. */
export function answering(request: { method?: string } = {}, limits: Partial<Limits> = {}) {
  const peer = new RawPeer({ role: "client", limits: { ...BACKEND_LIMITS, ...limits } });
  const stream = peer.session.request({ ...get("/"), ...request }, true);
  return { peer, stream, seen: peer.recorder.seen(stream) };
}
