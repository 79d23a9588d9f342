import type { Result } from "../addr/mod.ts";
import { isAbsolute, resolve } from "node:path";
import { type KeyPath, quote, type Report } from "../schema/mod.ts";

/** Reads a whole file or throws, like `readFileSync`. */
export type ReadFile = (path: string) => Uint8Array;

/** What a file's mode is; undefined: nobody knows. */
export type ReadMode = (path: string) => number | undefined;

/** What a failed read means to an operator, by the code of Node's error. */
const READ_ERRORS: Readonly<Record<string, string>> = {
  ENOENT: "does not exist",
  ENOTDIR: "does not exist",
  EISDIR: "is a directory",
  EACCES: "may not be read by this user (EACCES)",
  EPERM: "may not be read by this user (EPERM)",
};

/** Where a file is that has a name instead of a path, or why nobody knows. */
export type LocateFile = (file: string) => Result<string>;

/** The files that a configuration names, each read at most once. */
export class ConfigFiles {
  readonly #readFile: ReadFile | undefined;
  readonly #locate: LocateFile;
  readonly #readMode: ReadMode;
  readonly #read = new Map<string, Uint8Array | string>();

  /** `readFile` absent: nothing is read, and nothing is said of any file. */
  constructor(
    readFile: ReadFile | undefined,
    { locate = (value) => ({ ok: true, value }), readMode = () => undefined }: {
      readonly locate?: LocateFile;
      readonly readMode?: ReadMode;
    } = {},
  ) {
    this.#readFile = readFile;
    this.#locate = locate;
    this.#readMode = readMode;
  }

  /** The same files, some of which have names. */
  located(locate: LocateFile): ConfigFiles {
    return new ConfigFiles(this.#readFile, { locate, readMode: this.#readMode });
  }

  /** The contents, or nothing after a report at `at`. */
  read(file: string, at: KeyPath, report: Report): Uint8Array | undefined {
    const found = this.look(file);
    if (typeof found !== "string") return found;
    report.problem(at, found);
  }

  /** The contents, or why there are none; nothing where nothing is read. */
  look(file: string): Uint8Array | string | undefined {
    if (this.#readFile === undefined) return undefined;
    const place = this.#locate(file);
    if (!place.ok) return `${quote(file)}: ${place.reason}`;
    const path = place.value;
    let found = this.#read.get(path);
    if (found === undefined) {
      try {
        found = this.#readFile(path);
      } catch (error) {
        found = reasonOf(error);
      }
      this.#read.set(path, found);
    }
    if (typeof found !== "string") return found;
    // A relative path means something else when the service manager starts the program.
    const isClear = path === file && isAbsolute(path);
    return `${quote(file)} ${found}${
      isClear ? "" : `; it was looked for at ${quote(resolve(path))}`
    }`;
  }

  /** Who may do what with it; undefined: nobody knows. */
  modeOf(file: string): number | undefined {
    return this.#readFile === undefined ? undefined : this.#readMode(file);
  }

  /** {@link read}, as UTF-8. */
  readText(file: string, at: KeyPath, report: Report): string | undefined {
    const bytes = this.read(file, at, report);
    return bytes === undefined ? undefined : new TextDecoder().decode(bytes);
  }
}

function reasonOf(error: unknown): string {
  // Deno's own refusal has a class but no code.
  if (error instanceof Deno.errors.NotCapable) {
    return "may not be read by this program (--allow-read)";
  }
  const code = error instanceof Error && "code" in error ? String(error.code) : "unknown error";
  return READ_ERRORS[code] ?? `cannot be read (${code})`;
}
