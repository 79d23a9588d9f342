import type { Fields } from "../http/mod.ts";
import { DEFAULT_MAX_FRAME, FRAME_HEADER, FrameFlag, FrameType, writeHead } from "./frames.ts";
import { checkFields, checkPseudo } from "./header_rules.ts";
import { BLOCK_OVERHEAD, FIELD_OVERHEAD, type HpackEncoder } from "./hpack_encoder.ts";

/** A header block to send. */
export interface HeadersFrame {
  readonly streamId: number;
  /** Pseudo-headers, from our own code. */
  readonly pseudo: Fields;
  readonly fields: Fields;
  readonly neverIndexed?: readonly string[] | undefined;
  readonly endStream: boolean;
}

/**
 * Octets that the frames of a block can take at most.
 *
 * @throws {H2FieldError} if a field cannot be sent: nothing may be encoded then, because that would
 * already change the HPACK table.
 */
export function headersRoom({ pseudo, fields }: HeadersFrame): number {
  const characters = checkPseudo(pseudo) + checkFields(fields);
  const count = (pseudo.length + fields.length) / 2;
  const block = characters + count * FIELD_OVERHEAD + BLOCK_OVERHEAD;
  return block + FRAME_HEADER * (1 + Math.ceil(block / DEFAULT_MAX_FRAME));
}

/**
 * Writes HEADERS, with CONTINUATION if one frame is not enough, into `bytes` at `at`, where
 * `headersRoom` octets are free. Answers the index after the last frame.
 */
export function writeHeaders(
  frame: HeadersFrame,
  encoder: HpackEncoder,
  bytes: Uint8Array,
  at: number,
): number {
  const { pseudo, fields, neverIndexed } = frame;
  const start = at + FRAME_HEADER;
  let end = encoder.begin(bytes, start);
  for (let i = 0; i < pseudo.length; i += 2) {
    end = encoder.field(pseudo[i] as string, pseudo[i + 1] as string, bytes, end);
  }
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] as string;
    const never = neverIndexed !== undefined && neverIndexed.includes(name);
    end = encoder.field(name, fields[i + 1] as string, bytes, end, never);
  }
  return end - start > DEFAULT_MAX_FRAME
    ? splitBlock(bytes, start, end, frame)
    : finishBlock(bytes, start, end, frame);
}

/** Writes the head of a block that fits one frame. Answers the index after the block. */
function finishBlock(bytes: Uint8Array, start: number, end: number, frame: HeadersFrame): number {
  writeHead(bytes, start - FRAME_HEADER, {
    length: end - start,
    type: FrameType.headers,
    flags: FrameFlag.endHeaders | (frame.endStream ? FrameFlag.endStream : 0),
    streamId: frame.streamId,
  });
  return end;
}

/** Cuts a large block into HEADERS and CONTINUATION. Answers the index after the last one. */
function splitBlock(bytes: Uint8Array, start: number, end: number, frame: HeadersFrame): number {
  const block = bytes.slice(start, end);
  let at = start - FRAME_HEADER;
  for (let from = 0; from < block.length; from += DEFAULT_MAX_FRAME) {
    const piece = block.subarray(from, from + DEFAULT_MAX_FRAME);
    const endStream = from === 0 && frame.endStream ? FrameFlag.endStream : 0;
    const endHeaders = from + piece.length === block.length ? FrameFlag.endHeaders : 0;
    at = writeHead(bytes, at, {
      length: piece.length,
      type: from === 0 ? FrameType.headers : FrameType.continuation,
      flags: endStream | endHeaders,
      streamId: frame.streamId,
    });
    bytes.set(piece, at);
    at += piece.length;
  }
  return at;
}
