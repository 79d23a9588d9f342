/**
 * Frame layout (RFC 9113 §4.1, §6): numbers, and writers that append one frame to an array that
 * has room for it.
 *
 * @module
 */

/** Frame types. */
export const FrameType = Object.freeze({
  data: 0x0,
  headers: 0x1,
  priority: 0x2,
  rstStream: 0x3,
  settings: 0x4,
  pushPromise: 0x5,
  ping: 0x6,
  goaway: 0x7,
  windowUpdate: 0x8,
  continuation: 0x9,
});

/** Frame flags. */
export const FrameFlag = Object.freeze({
  endStream: 0x1,
  ack: 0x1,
  endHeaders: 0x4,
  padded: 0x8,
  priority: 0x20,
});

/** Octets of the header in front of each frame. */
export const FRAME_HEADER = 9;
/** Payload that every peer accepts, and the most that we accept (RFC 9113 §4.2). */
export const DEFAULT_MAX_FRAME = 16384;
/** Largest value of SETTINGS_MAX_FRAME_SIZE. */
export const LARGEST_MAX_FRAME = 16777215;
/** Largest flow-control window and stream identifier. */
export const MAX_31_BITS = 0x7fffffff;
/** What a client sends before its first frame (RFC 9113 §3.4). */
export const CLIENT_PREFACE: Uint8Array = new TextEncoder().encode(
  "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
);

/** The header of a frame. */
export interface FrameHead {
  readonly length: number;
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
}

/** Writes a frame header and answers the index after it. */
export function writeHead(target: Uint8Array, at: number, head: FrameHead): number {
  target[at] = head.length >>> 16;
  target[at + 1] = head.length >>> 8;
  target[at + 2] = head.length;
  target[at + 3] = head.type;
  target[at + 4] = head.flags;
  return writeU32(target, at + 5, head.streamId);
}

/** Writes 32 bits, most significant first, and answers the index after them. */
export function writeU32(target: Uint8Array, at: number, value: number): number {
  target[at] = value >>> 24;
  target[at + 1] = value >>> 16;
  target[at + 2] = value >>> 8;
  target[at + 3] = value;
  return at + 4;
}

/** Reads 32 bits, most significant first; the caller checked that they are there. */
export function readU32(bytes: Uint8Array, at: number): number {
  return (((bytes[at] as number) << 24) | ((bytes[at + 1] as number) << 16) |
    ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number)) >>> 0;
}
