/** A read that takes longer hangs in a file system that does not answer; every change waits for it. */
const READ_TIMEOUT_MS = 5000;

/** The largest file that is read whole: GeoIP databases have a tenth of that. */
const MAX_FILE_BYTES = 1024 * 1024 * 1024;

/**
 * Reads a regular file whole. Anything else that a path can name (a FIFO, a device) may never end, and
 * the change that reads it, with all those behind it, would wait forever.
 *
 * @throws {Deno.errors.InvalidData} if it is none.
 * @throws {RangeError} if it is too large.
 * @throws {DOMException} `TimeoutError` if it takes too long.
 */
export async function readRegularFile(
  path: string,
  maxOctets = MAX_FILE_BYTES,
): Promise<Uint8Array> {
  const signal = AbortSignal.timeout(READ_TIMEOUT_MS);
  const { isFile, isDirectory, size } = await within(Deno.stat(path), signal);
  if (isDirectory) throw new Deno.errors.IsADirectory("it is a directory");
  if (!isFile) throw new Deno.errors.InvalidData("it is not a regular file");
  if (size > maxOctets) throw new RangeError(`over ${maxOctets} octets`);
  return await within(Deno.readFile(path, { signal }), signal);
}

function within<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const abort = () => reject(signal.reason);
  signal.addEventListener("abort", abort);
  return Promise.race([promise, late]).finally(() => signal.removeEventListener("abort", abort));
}

/** A file that was written so recently may be written again without another time. */
const SETTLED_MS = 2000;

/** Tells whether a file can have changed; undefined: it is to be read, which says why. */
export async function readStamp(path: string): Promise<string | undefined> {
  try {
    const { mtime, size, ino } = await within(
      Deno.stat(path),
      AbortSignal.timeout(READ_TIMEOUT_MS),
    );
    const time = mtime?.getTime() ?? Infinity;
    return Math.abs(Date.now() - time) < SETTLED_MS ? undefined : `${time}/${size}/${ino}`;
  } catch {
    return undefined;
  }
}
