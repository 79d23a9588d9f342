import type { CertificateStore, Held, InUse, Pair, PairFiles } from "../certificates/mod.ts";
import { type TlsMaterial, tlsMaterialId } from "../l7/mod.ts";
import type { LogSink } from "../observe/mod.ts";
import type { Change } from "../plane/mod.ts";
import type { Route } from "../routes/mod.ts";
import { ACME } from "../state/mod.ts";

/** What a route's TLS was made of when it was last looked at. */
interface Entry {
  readonly pair: Held<Pair>;
  /** Of the backend; absent: the route names none. */
  readonly caPem: string | undefined;
  readonly caProblem: string | undefined;
  /** Absent: something of it was never usable. */
  readonly material: TlsMaterial | undefined;
}

/** What the data plane is given for the routes that terminate TLS, of what the store holds. */
export class RouteMaterials {
  readonly #store: CertificateStore;
  readonly #log: LogSink;
  readonly #entries = new Map<string, Entry>();

  constructor(options: { readonly store: CertificateStore; readonly log: LogSink }) {
    this.#store = options.store;
    this.#log = options.log;
  }

  /**
   * What the routes that terminate TLS use now; the same objects as before where nothing changed.
   * A route whose files were never usable is left out: its connections are refused.
   */
  async load(routes: readonly Route[]): Promise<TlsMaterial[]> {
    const found = new Map<string, TlsMaterial | undefined>();
    for (const route of routes) {
      if (!terminatesTls(route)) continue;
      const id = tlsMaterialId(route);
      if (!found.has(id)) found.set(id, await this.#loadOne(id, route));
    }
    return [...found.values()].filter((material) => material !== undefined);
  }

  /** What the listeners' routes name and could not be read or used, one sentence for each certificate. */
  refusals(listeners: readonly { readonly routes: readonly Route[] }[]): string[] {
    const found = new Set<string>();
    // Asked for with every status, and nearly always nothing.
    if (this.#entries.values().every((entry) => problemOf(entry) === undefined)) return [];
    for (const route of listeners.flatMap(({ routes }) => routes)) {
      const entry = terminatesTls(route) ? this.#entries.get(tlsMaterialId(route)) : undefined;
      if (entry?.pair.problem !== undefined) {
        const certificate = route.tlsCert === ACME ? `of ${route.hostname}` : route.tlsCert;
        found.add(`certificate ${certificate}: ${entry.pair.problem}`);
      }
      if (entry?.caProblem !== undefined) {
        found.add(`authorities ${route.backendCa}: ${entry.caProblem}`);
      }
    }
    return [...found];
  }

  /** What is held of a route's pair; absent: it was never looked at. */
  pairOf(route: Route): Held<Pair> | undefined {
    return terminatesTls(route) ? this.#entries.get(tlsMaterialId(route))?.pair : undefined;
  }

  /** The pairs of files that these listeners' routes use, with what they hold. */
  *files(
    listeners: readonly { readonly routes: readonly Route[] }[],
  ): Generator<PairFiles & Pick<Pair, "certPem" | "keyPem">> {
    const seen = new Set<string>();
    for (const route of listeners.flatMap(({ routes }) => routes)) {
      const { tlsCert: certificate, tlsKey: key } = route;
      const name = `${certificate}\0${key}`;
      if (!terminatesTls(route) || certificate === ACME || seen.has(name)) continue;
      seen.add(name);
      const { value, problem } = this.#entries.get(tlsMaterialId(route))?.pair ?? {};
      if (value === undefined || problem !== undefined) continue;
      yield { certificate, key, certPem: value.certPem, keyPem: value.keyPem };
    }
  }

  /** The files that these routes name; whatever else was looked at for a route is forgotten. */
  keepOnly(routes: readonly Route[]): InUse {
    const users = routes.filter(terminatesTls);
    const ids = new Set(users.map(tlsMaterialId));
    for (const id of this.#entries.keys()) if (!ids.has(id)) this.#entries.delete(id);
    return {
      pairs: users.filter(({ tlsCert }) => tlsCert !== ACME)
        .map(({ tlsCert: certificate, tlsKey: key }) => ({ certificate, key })),
      issued: users.filter(({ tlsCert }) => tlsCert === ACME).map(({ hostname }) => hostname),
      files: users.flatMap(({ backendCa }) => backendCa === undefined ? [] : [backendCa]),
    };
  }

  async #loadOne(id: string, route: Route): Promise<TlsMaterial | undefined> {
    const before = this.#entries.get(id);
    const { tlsCert: certificate, tlsKey: key, backendCa = "" } = route;
    const pair = certificate === ACME
      ? this.#store.issued(route.hostname)
      : await this.#store.pair({ certificate, key });
    const authorities = backendCa === "" ? undefined : await this.#store.authorities(backendCa);
    const caPem = authorities?.value?.pem;
    const entry = {
      pair,
      caPem,
      caProblem: authorities?.problem,
      material: before !== undefined && before.pair.value === pair.value && before.caPem === caPem
        // A file that was touched holds what it held: the same object, so that nobody takes it for new.
        ? before.material
        : compile(id, { pair: pair.value, caPem, needsCa: backendCa !== "" }),
    };
    this.#entries.set(id, entry);
    this.#report(route, before, entry);
    return entry.material;
  }

  #report(route: Route, before: Entry | undefined, after: Entry): void {
    const { hostname, tlsCert: certificate, tlsKey: key, backendCa = "" } = route;
    const problem = problemOf(after);
    if (problem === undefined) {
      if (before === undefined) return;
      if (before.material === after.material && problemOf(before) === undefined) return;
      const fields = { hostname, certificate };
      return this.#log({ level: "info", message: "certificate reloaded", fields });
    }
    if (before !== undefined && problem === problemOf(before)) return;
    if (after.pair.problem !== undefined && certificate === ACME && after.material === undefined) {
      const message = "certificate pending, connections to the route are refused";
      return this.#log({ level: "info", message, fields: { hostname } });
    }
    const files = { certificate, key, ...backendCa !== "" && { authorities: backendCa } };
    this.#log({
      level: "error",
      message: after.material === undefined
        ? "certificate not usable, connections to the route are refused"
        : "certificate not reloaded, the old one stays in use",
      fields: { hostname, ...files, reason: problem },
    });
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

function terminatesTls({ mode, tlsCert }: Route): boolean {
  return mode !== "l4" && tlsCert !== "";
}

function problemOf({ pair, caProblem }: Entry): string | undefined {
  const problems = [pair.problem, caProblem && `the authorities' file ${caProblem}`]
    .filter((problem) => problem !== undefined);
  return problems.length === 0 ? undefined : problems.join("; ");
}

/** Without the authorities that it names, a route would trust the system's: so it is not served. */
function compile(
  id: string,
  { pair, caPem, needsCa }: {
    readonly pair: Pair | undefined;
    readonly caPem: string | undefined;
    readonly needsCa: boolean;
  },
): TlsMaterial | undefined {
  if (pair === undefined || (needsCa && caPem === undefined)) return undefined;
  const { certPem, keyPem } = pair;
  return { id, certPem, keyPem, ...caPem !== undefined && { backendCaPem: caPem } };
}
