/** Floods of one HTTP/2 session, and what has to come of them. */
import assert from "node:assert/strict";
import { BACKEND_LIMITS, ErrorCode } from "../../lib/h2/mod.ts";
import type { RawPeer } from "./h2_raw.ts";

export const CALM = ErrorCode.enhanceYourCalm;
/** More of anything than a budget allows at once. */
export const FLOOD = 5000;

/** For a client, as far as the peer lets it. */
export const MANY_STREAMS = { ...BACKEND_LIMITS, maxOwnStreams: 5000 };

/** Repeats an abuse until the session closes; answers how often it was done. */
export function flood(peer: RawPeer, once: () => void): number {
  for (let done = 0; done < FLOOD; done++) {
    if (peer.session.closed) return done;
    once();
  }
  return FLOOD;
}

/** The peer reads what it was sent, but leaves the last words for the assertion. */
export function read(peer: RawPeer): void {
  if (!peer.session.closed) peer.session.takeOutput();
}

export function assertCalmed(peer: RawPeer, done: number): void {
  assert(done < FLOOD, "the flood was not stopped");
  assert.equal(peer.recorder.closed?.by, "rules");
  assert.equal(peer.goaway(), CALM);
}
