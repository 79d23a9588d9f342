import { randomUUID } from "node:crypto";
import { closeSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { FILE_MODE } from "./file_mode.ts";

/** In octets. */
const CHUNK = 64 * 1024;

/**
 * The error of the system, with its code, if `bytes` cannot be written to a new file in a
 * directory; else nothing. The runtime drops SQLite's result code when it opens a file or copies a
 * database, so this finds out afterwards what stood in the way.
 */
export function probeWriting(directory: string, bytes: number): unknown {
  const file = join(directory, `.write-probe.${randomUUID()}.tmp`);
  try {
    const descriptor = openSync(file, "wx", FILE_MODE);
    try {
      const zeroes = new Uint8Array(CHUNK);
      for (let left = bytes; left > 0; left -= CHUNK) {
        writeSync(descriptor, zeroes, 0, Math.min(left, CHUNK));
      }
    } finally {
      closeSync(descriptor);
      rmSync(file);
    }
  } catch (error) {
    return error;
  }
}
