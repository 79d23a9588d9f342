import type { ReadFile, ReadStamp } from "../certificates/mod.ts";
import type { Route } from "../routes/mod.ts";
import { locateFile, type NamedFile } from "../state/mod.ts";

/** A file has a name that this proxy knows no place for; the message says where to say it. */
export class UnplacedFileError extends Error {
  override readonly name = "UnplacedFileError";
}

/** What a {@link NamedFiles} reads with. */
export interface NamedFilesOptions {
  readonly places: readonly NamedFile[];
  readonly readFile: ReadFile;
  readonly readStamp: ReadStamp;
}

/**
 * Reads the files of the state, which are at their paths or, those that the group knows by a name, where
 * this proxy has them. Everybody else speaks of them as the state does.
 */
export class NamedFiles {
  readonly #options: NamedFilesOptions;
  #places: readonly NamedFile[];

  constructor(options: NamedFilesOptions) {
    this.#options = options;
    this.#places = options.places;
  }

  /** Files are elsewhere now; whoever reads them next sees it. */
  place(places: readonly NamedFile[]): void {
    this.#places = places;
  }

  /** @throws {UnplacedFileError} and what reading throws. */
  readonly readFile: ReadFile = async (file, maxOctets) =>
    await this.#options.readFile(this.#locate(file), maxOctets);

  /** Another place is another stamp, whatever the two files hold. */
  readonly readStamp: ReadStamp = async (file) => {
    const place = locateFile(file, this.#places);
    if (!place.ok) return undefined;
    const stamp = await this.#options.readStamp(place.value);
    return stamp === undefined ? undefined : `${stamp} ${place.value}`;
  };

  /** Where the files are here that a route names, one sentence each. */
  *explain({ mode, tlsCert, tlsKey, backendCa = "", errorPages = [] }: Route): Generator<string> {
    if (mode === "l4") return;
    const pages = errorPages.map(({ file = "" }) => file);
    for (const file of new Set([tlsCert, tlsKey, backendCa, ...pages])) {
      const place = locateFile(file, this.#places);
      if (!place.ok) yield `${file}: ${place.reason}`;
      else if (place.value !== file) yield `${file}: is ${place.value} here`;
    }
  }

  #locate(file: string): string {
    const place = locateFile(file, this.#places);
    if (!place.ok) throw new UnplacedFileError(place.reason);
    return place.value;
  }
}
