import type { Socket } from "node:net";

/**
 * Octets after which a paused socket stops reading: one read, whatever its length. By default it is
 * 64 KiB in as many reads as they come in, 25 MB for a client that sends single octets. Deno 2.9.6
 * ignores the option `highWaterMark` of `createServer`.
 */
const READ_AHEAD = 1;

/** Makes a socket that is paused read once more at most. */
export function limitReadAhead(socket: Socket): void {
  const state =
    (socket as unknown as { _readableState?: { highWaterMark: number } })._readableState;
  if (state !== undefined) state.highWaterMark = READ_AHEAD;
}
