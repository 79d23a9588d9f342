import type { CertificateStore, Held } from "../certificates/mod.ts";
import type { PageContent } from "../l7/mod.ts";
import type { LogSink } from "../observe/mod.ts";
import type { Change } from "../plane/mod.ts";
import type { Route } from "../routes/mod.ts";
import { type ErrorPage, judgePage, MAX_PAGE_FILE } from "../state/mod.ts";
import type { Compiled } from "./change_set.ts";

/** Routes, as far as they name files of error pages. */
type Routes = readonly Pick<Route, "mode" | "errorPages">[];

/** What the data plane is given for the files of error pages, of what the store holds. */
export class ErrorPageFiles {
  readonly #store: CertificateStore;
  /** Of every route, which no route names. */
  readonly #common: readonly string[];
  readonly #log: LogSink;
  readonly #held = new Map<string, Held<PageContent>>();

  constructor(
    { store, common, log }: {
      readonly store: CertificateStore;
      /** What is said where a route says nothing. */
      readonly common: readonly ErrorPage[];
      readonly log: LogSink;
    },
  ) {
    this.#store = store;
    this.#common = common.flatMap(({ file }) => file === undefined ? [] : [file]);
    this.#log = log;
  }

  /**
   * What the files hold now that these routes name, and those of every route; the same objects as
   * before where nothing changed. A file that was never usable is left out: what is said of a status
   * where an operator says nothing is said then.
   */
  async load(routes: Routes): Promise<PageContent[]> {
    const contents: PageContent[] = [];
    for (const file of this.#filesOf(routes)) {
      const content = await this.#loadOne(file);
      if (content !== undefined) contents.push(content);
    }
    return contents;
  }

  /** What could not be read or used, one sentence for each file. */
  get refusals(): string[] {
    return [...this.#held].flatMap(([file, { problem }]) =>
      problem === undefined ? [] : [`error page ${file}: ${problem}`]
    );
  }

  /** The files that are named, by these routes or for all; whatever else was looked at is forgotten. */
  keepOnly(routes: Routes): ReadonlySet<string> {
    const files = this.#filesOf(routes);
    for (const file of this.#held.keys()) if (!files.has(file)) this.#held.delete(file);
    return files;
  }

  #filesOf(routes: Routes): Set<string> {
    const files = new Set(this.#common);
    for (const { mode, errorPages } of routes) {
      if (mode !== "l7" || errorPages === undefined) continue;
      for (const { file } of errorPages) if (file !== undefined) files.add(file);
    }
    return files;
  }

  async #loadOne(file: string): Promise<PageContent | undefined> {
    const before = this.#held.get(file);
    const { value: octets, problem } = await this.#store.octets(file, {
      maxOctets: MAX_PAGE_FILE,
      judge: judgePage,
    });
    const value = octets === before?.value?.octets ? before?.value : octets && { file, octets };
    this.#held.set(file, { value, ...problem !== undefined && { problem } });
    this.#report(file, before, { value, problem });
    return value;
  }

  #report(
    file: string,
    before: Held<PageContent> | undefined,
    { value, problem }: { readonly value: unknown; readonly problem: string | undefined },
  ): void {
    if (problem !== undefined) {
      if (problem === before?.problem) return;
      const message = value === undefined
        ? "error page not usable, the proxy's own words are used"
        : "error page not reloaded, the old one stays in use";
      return this.#log({ level: "error", message, fields: { file, reason: problem } });
    }
    if (before === undefined || (before.value === value && before.problem === undefined)) return;
    this.#log({ level: "info", message: "error page reloaded", fields: { file } });
  }
}

/** How the data plane gets from one set of contents to another; `undefined` if it is there. */
export function comparePages(
  before: readonly PageContent[],
  after: readonly PageContent[],
): Extract<Change, { kind: "pages" }> | undefined {
  const known = new Set(before);
  const wanted = new Set(after.map(({ file }) => file));
  const set = after.filter((content) => !known.has(content));
  const remove = before.filter(({ file }) => !wanted.has(file)).map(({ file }) => file);
  return set.length === 0 && remove.length === 0 ? undefined : { kind: "pages", set, remove };
}

/** Brings along the contents of new routes' pages, before the routes. */
export async function withPages(
  compiled: Compiled,
  files: ErrorPageFiles | undefined,
): Promise<Compiled> {
  const { changes, snapshot, routes } = compiled;
  const named = routes.flatMap((patch) => [...patch.set.values()])
    .filter(({ errorPages }) => errorPages !== undefined);
  if (files === undefined || named.length === 0) return compiled;
  const loaded = await files.load(named);
  const known = new Set(snapshot.pages);
  const fresh = loaded.filter((content) => !known.has(content));
  if (fresh.length === 0) return compiled;
  const replaced = new Set(fresh.map(({ file }) => file));
  const kept = (snapshot.pages ?? []).filter(({ file }) => !replaced.has(file));
  return {
    routes,
    changes: [{ kind: "pages", set: fresh, remove: [] }, ...changes],
    snapshot: { ...snapshot, pages: [...kept, ...fresh] },
  };
}
