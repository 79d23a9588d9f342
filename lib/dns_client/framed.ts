import { MAX_MESSAGE_BYTES } from "../dns/mod.ts";

/** What messages are read from and written to. */
export interface Stream {
  read(into: Uint8Array): Promise<number | null>;
  write(octets: Uint8Array): Promise<number>;
}

/** Writes a message with its length before it, in one piece (RFC 7766 §8). */
export async function writeFramed(stream: Stream, message: Uint8Array): Promise<void> {
  if (message.length > MAX_MESSAGE_BYTES) {
    throw new RangeError(`a message has ${message.length} octets, over ${MAX_MESSAGE_BYTES}`);
  }
  const framed = new Uint8Array(2 + message.length);
  framed.set([message.length >> 8, message.length & 255]);
  framed.set(message, 2);
  for (let at = 0; at < framed.length;) at += await stream.write(framed.subarray(at));
}

/**
 * Reads a message that has its length before it.
 *
 * @returns "end" where the stream ends before one begins, "cut" where it ends within one.
 */
export async function readFramed(
  stream: Stream,
): Promise<Uint8Array<ArrayBuffer> | "end" | "cut"> {
  const prefix = new Uint8Array(2);
  const got = await readInto(stream, prefix);
  if (got < prefix.length) return got === 0 ? "end" : "cut";
  const message = new Uint8Array((prefix[0] as number) << 8 | (prefix[1] as number));
  return await readInto(stream, message) < message.length ? "cut" : message;
}

/** Fills what there is; the octets that came, fewer if the stream ended. */
async function readInto(stream: Stream, octets: Uint8Array): Promise<number> {
  for (let at = 0; at < octets.length;) {
    const count = await stream.read(octets.subarray(at));
    if (count === null) return at;
    at += count;
  }
  return octets.length;
}
