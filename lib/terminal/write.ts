/** Where octets are written. */
export interface Writer {
  writeSync(bytes: Uint8Array): number;
}

/** Writes all of a text; a reader that has seen enough is no error. */
export function writeText(target: Writer, text: string): void {
  const bytes = new TextEncoder().encode(text);
  try {
    for (let at = 0; at < bytes.length;) at += target.writeSync(bytes.subarray(at));
  } catch (error) {
    // The reader has seen enough, as in `… audit | head -1`.
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
  }
}
