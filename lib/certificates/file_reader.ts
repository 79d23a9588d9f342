/** Reads a whole file or throws, as when it is larger than `maxOctets`. */
export type ReadFile = (path: string, maxOctets?: number) => Promise<Uint8Array>;

/** What tells that a file has not changed; undefined: nobody knows, so it is to be read. */
export type ReadStamp = (path: string) => Promise<string | undefined>;

interface Entry {
  stamp: string | undefined;
  readonly octets: Uint8Array;
}

/**
 * Reads files that change now and then. A file that cannot have changed is not read, and one that was
 * touched and holds what it held gives the same object: so whatever is made of it is not made anew,
 * and nobody takes it for new.
 */
export class FileReader {
  readonly #readFile: ReadFile;
  readonly #readStamp: ReadStamp;
  readonly #entries = new Map<string, Entry>();

  constructor(
    { readFile, readStamp = () => Promise.resolve(undefined) }: {
      readonly readFile: ReadFile;
      readonly readStamp?: ReadStamp;
    },
  ) {
    this.#readFile = readFile;
    this.#readStamp = readStamp;
  }

  /** What the file holds now; the same object as long as that is the same. Throws as `readFile`. */
  async read(path: string, maxOctets?: number): Promise<Uint8Array> {
    const before = this.#entries.get(path);
    // Before the content: if it changes in between, the next look sees another stamp.
    const stamp = await this.#readStamp(path);
    if (before !== undefined && stamp !== undefined && before.stamp === stamp) return before.octets;
    let octets: Uint8Array;
    try {
      octets = await this.#readFile(path, maxOctets);
    } catch (error) {
      if (before !== undefined) before.stamp = undefined;
      throw error;
    }
    if (before !== undefined && isSame(before.octets, octets)) {
      before.stamp = stamp;
      return before.octets;
    }
    this.#entries.set(path, { stamp, octets });
    return octets;
  }

  /** Forgets what was read of all other files. */
  keepOnly(paths: ReadonlySet<string>): void {
    for (const path of this.#entries.keys()) if (!paths.has(path)) this.#entries.delete(path);
  }
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((octet, i) => octet === b[i]);
}
