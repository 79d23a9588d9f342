/**
 * A peer that speaks HTTP/2 frame by frame, so that it can break every rule.
 *
 * @module
 */
import {
  type Budget,
  CLIENT_PREFACE,
  FrameFlag,
  FrameReader,
  FrameType,
  H2Session,
  HpackDecoder,
  HpackEncoder,
  type Limits,
} from "../../lib/h2/mod.ts";
import { Recorder } from "./h2_pair.ts";
import { encodeBlock } from "./hpack.ts";

/** One frame as it was seen or shall be sent. */
export interface RawFrame {
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
  readonly payload: Uint8Array;
}

/** The octets of a frame; `length` may lie. */
export function frame(
  type: number,
  flags: number,
  streamId: number,
  payload: ArrayLike<number> = [],
  length: number = payload.length,
): Uint8Array {
  const bytes = new Uint8Array(9 + payload.length);
  new DataView(bytes.buffer).setUint32(0, length * 256 + type);
  bytes[4] = flags;
  new DataView(bytes.buffer).setUint32(5, streamId);
  bytes.set(payload, 9);
  return bytes;
}

/** A 32-bit number as four octets. */
export function u32(value: number): number[] {
  return [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255];
}

/** One setting. */
export function setting(id: number, value: number): number[] {
  return [id >>> 8, id & 255, ...u32(value)];
}

/** The frames in `chunks`, whole. */
export function parseFrames(chunks: readonly Uint8Array[]): RawFrame[] {
  const frames: RawFrame[] = [];
  let data: { flags: number; streamId: number; pieces: number[] } | undefined;
  const reader = new FrameReader({
    frame: (type, flags, streamId, payload) =>
      frames.push({ type, flags, streamId, payload: payload.slice() }),
    dataBegin: (streamId, flags) => data = { flags, streamId, pieces: [] },
    dataPiece: (bytes, last) => {
      if (data === undefined) return;
      data.pieces.push(...bytes);
      const { flags, streamId, pieces } = data;
      if (!last) return;
      frames.push({ type: FrameType.data, flags, streamId, payload: Uint8Array.from(pieces) });
    },
    broken: (_code, reason) => {
      throw new Error(reason);
    },
  }, 16384);
  for (const chunk of chunks) reader.receive(chunk);
  return frames;
}

/** A session under test with a raw peer. */
export class RawPeer {
  readonly recorder = new Recorder();
  readonly session: H2Session;
  readonly encoder = new HpackEncoder();
  readonly decoder = new HpackDecoder();
  now = 0;
  #nextId = 1;

  /** `role` is that of the session. The peer greets correctly unless `greet` is false. */
  constructor(
    options: {
      role?: "server" | "client";
      limits?: Limits;
      greet?: boolean;
      resets?: Budget;
    } = {},
  ) {
    const { role = "server", limits, resets } = options;
    this.session = new H2Session({
      role,
      handler: this.recorder,
      now: 0,
      ...(limits === undefined ? {} : { limits }),
      ...(resets === undefined ? {} : { resets }),
    });
    if (options.greet === false) return;
    if (role === "server") this.send(CLIENT_PREFACE);
    this.send(frame(FrameType.settings, 0, 0), frame(FrameType.settings, FrameFlag.ack, 0));
    this.session.takeOutput();
  }

  /** Octets from the peer. */
  send(...chunks: Uint8Array[]): void {
    for (const chunk of chunks) this.session.receive(chunk, this.now);
  }

  /** What the session wants to write, as frames (the client preface is skipped). */
  frames(): RawFrame[] {
    const chunks = this.session.takeOutput();
    const first = chunks[0];
    if (first !== undefined && first[0] === 0x50) chunks[0] = first.subarray(CLIENT_PREFACE.length);
    return parseFrames(chunks);
  }

  /** An encoded block. */
  block(fields: readonly string[]): Uint8Array {
    return encodeBlock(this.encoder, fields);
  }

  /** A HEADERS frame. */
  headers(streamId: number, fields: readonly string[], endStream = true): Uint8Array {
    const flags = FrameFlag.endHeaders | (endStream ? FrameFlag.endStream : 0);
    return frame(FrameType.headers, flags, streamId, this.block(fields));
  }

  /** Opens the next stream with a plain request. Answers its identifier. */
  open(endStream = true, more: readonly string[] = []): number {
    const id = this.#nextId;
    this.#nextId += 2;
    this.send(this.headers(id, [...REQUEST, ...more], endStream));
    return id;
  }

  /** Resets a stream. */
  rst(streamId: number, code = 8): void {
    this.send(frame(FrameType.rstStream, 0, streamId, u32(code)));
  }

  /** The code of the GOAWAY that the session sent, if it did. */
  goaway(): number | undefined {
    const found = this.frames().find(({ type }) => type === FrameType.goaway);
    return found === undefined ? undefined : new DataView(found.payload.buffer).getUint32(4);
  }

  /** The code of the RST_STREAM that the session sent for a stream, if it did. */
  resetCode(streamId: number): number | undefined {
    const found = this.frames().find((f) =>
      f.type === FrameType.rstStream && f.streamId === streamId
    );
    return found === undefined ? undefined : new DataView(found.payload.buffer).getUint32(0);
  }
}

/** The pseudo-headers of a plain request. */
export const REQUEST: readonly string[] = [
  [":method", "POST"],
  [":scheme", "https"],
  [":authority", "example.net"],
  [":path", "/"],
].flat();
