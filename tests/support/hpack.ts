import { BLOCK_OVERHEAD, FIELD_OVERHEAD, type HpackEncoder } from "../../lib/h2/mod.ts";

/** Encodes alternating names and values into a block of its own. */
export function encodeBlock(encoder: HpackEncoder, fields: readonly string[]): Uint8Array {
  const characters = fields.reduce((sum, text) => sum + text.length + FIELD_OVERHEAD, 0);
  const target = new Uint8Array(BLOCK_OVERHEAD + characters);
  let at = encoder.begin(target, 0);
  for (let i = 0; i < fields.length; i += 2) {
    at = encoder.field(fields[i] as string, fields[i + 1] as string, target, at);
  }
  return target.subarray(0, at);
}
