import { checkTlsPair } from "../config/mod.ts";
import { type TlsMaterial, tlsMaterialId } from "../l7/mod.ts";
import { describeError, type LogSink } from "../observe/mod.ts";
import type { Change } from "../plane/mod.ts";
import type { Route } from "../routes/mod.ts";
import type { ReadFile } from "./files.ts";

/** How often the files are looked at; a renewed certificate may take that long to be used. */
export const TLS_POLL_MS = 5000;

/** What a route's files held when they were last looked at. */
interface Entry {
  /** Tells whether the files may have changed, without reading them. */
  readonly stamp: string;
  /** What was last read, usable or not, so that a broken pair is logged once. */
  readonly seen: string;
  /** The last usable content. */
  readonly material: TlsMaterial | undefined;
  /** Why what was last read is not in use. */
  readonly problem: string | undefined;
}

/**
 * Reads certificates and keys for the data plane, which has no files. What was usable stays in use
 * until something else that is usable takes its place: a renewal writes two files, and between the
 * two they do not belong together.
 */
export class TlsStore {
  readonly #readFile: ReadFile;
  readonly #log: LogSink;
  #entries = new Map<string, Entry>();

  constructor(options: { readonly readFile: ReadFile; readonly log: LogSink }) {
    this.#readFile = options.readFile;
    this.#log = options.log;
  }

  /**
   * What the routes that terminate TLS use now; the same objects as before where nothing changed.
   * A route whose files were never usable is left out: its connections are refused.
   */
  async load(routes: readonly Route[]): Promise<TlsMaterial[]> {
    const found = new Map<string, TlsMaterial | undefined>();
    for (const route of routes) {
      if (route.mode === "l4" || route.tlsCert === "") continue;
      const id = tlsMaterialId(route);
      if (!found.has(id)) found.set(id, await this.#loadOne(id, route));
    }
    return [...found.values()].filter((material) => material !== undefined);
  }

  /** What the routes name and could not be read or used, one sentence for each certificate. */
  refusals(routes: readonly Route[]): string[] {
    const found = new Map<string, string>();
    for (const route of routes) {
      const id = tlsMaterialId(route);
      const problem = this.#entries.get(id)?.problem;
      if (problem !== undefined) found.set(id, `certificate ${route.tlsCert}: ${problem}`);
    }
    return [...found.values()];
  }

  async #loadOne(id: string, route: Route): Promise<TlsMaterial | undefined> {
    const paths = [route.tlsCert, route.tlsKey, route.backendCa ?? ""];
    const before = this.#entries.get(id);
    const stamp = (await Promise.all(paths.map(stampOf))).join();
    if (before !== undefined && before.stamp === stamp && !stamp.includes(UNKNOWN)) {
      return before.material;
    }
    const read = await this.#read(id, paths);
    // A file that was touched holds what it held: the same object, so that nobody takes it for new.
    const isSame = before !== undefined && before.seen === read.seen;
    const material = isSame ? before.material : read.material ?? before?.material;
    this.#entries.set(id, { stamp, seen: read.seen, material, problem: read.problem });
    if (!isSame) this.#report(route, { before, problem: read.problem });
    return material;
  }

  async #read(
    id: string,
    paths: readonly string[],
  ): Promise<{ seen: string; material?: TlsMaterial; problem?: string }> {
    let texts: string[];
    try {
      texts = await Promise.all(paths.map((path) => this.#readText(path)));
    } catch (error) {
      return { seen: UNKNOWN, problem: describeError(error) };
    }
    const seen = texts.join("\0");
    const [certPem = "", keyPem = "", caPem = ""] = texts;
    const check = checkTlsPair(certPem, keyPem);
    if (!check.ok) {
      const problem = check.faults.map(({ part, reason }) => `the ${part} ${reason}`).join("; ");
      return { seen, problem };
    }
    return { seen, material: { id, certPem, keyPem, ...caPem !== "" && { backendCaPem: caPem } } };
  }

  #report(
    { hostname, tlsCert: certificate, tlsKey: key }: Route,
    { before, problem }: {
      readonly before: Entry | undefined;
      readonly problem: string | undefined;
    },
  ): void {
    if (problem === undefined) {
      if (before === undefined) return;
      return this.#log({
        level: "info",
        message: "certificate reloaded",
        fields: { hostname, certificate },
      });
    }
    this.#log({
      level: "error",
      message: before?.material === undefined
        ? "certificate not usable, connections to the route are refused"
        : "certificate not reloaded, the old one stays in use",
      fields: { hostname, certificate, key, reason: problem },
    });
  }

  async #readText(path: string): Promise<string> {
    return path === "" ? "" : new TextDecoder().decode(await this.#readFile(path));
  }
}

/** How the data plane gets from one set of materials to another; `undefined` if it is there. */
export function compareTls(
  before: readonly TlsMaterial[],
  after: readonly TlsMaterial[],
): Extract<Change, { kind: "tls" }> | undefined {
  const known = new Set(before);
  const wanted = new Set(after.map(({ id }) => id));
  const set = after.filter((material) => !known.has(material));
  const remove = before.filter(({ id }) => !wanted.has(id)).map(({ id }) => id);
  return set.length === 0 && remove.length === 0 ? undefined : { kind: "tls", set, remove };
}

const UNKNOWN = "unknown";

/** Changes whenever the file does: a renewal writes anew or renames. */
async function stampOf(path: string): Promise<string> {
  if (path === "") return "";
  try {
    const { mtime, size, ino } = await Deno.stat(path);
    return `${mtime?.getTime()}/${size}/${ino}`;
  } catch {
    return UNKNOWN; // Reading it will say why.
  }
}
