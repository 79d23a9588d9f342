import { nameFromText, nameToText } from "../dns/mod.ts";
import { foldCase, octetsOf, octetString } from "../dns/mod.ts";

/** Who may write may read. */
export type Right = "read" | "write";

/** Every zone there is and will be. */
const ALL = "*";

/**
 * What somebody may do. Scopes are texts: `admin` (everything, tokens and zones themselves
 * included), `read:ZONE` and `write:ZONE` for the records of one zone, by its exact name, or `*` for
 * those of every zone.
 *
 * @example
 * ```ts
 * import { Access } from "./mod.ts";
 * import assert from "node:assert/strict";
 *
 * const access = Access.of(["write:Example.NET"]);
 * assert(access);
 * assert(access.may("read", "example.net."));
 * assert(!access.may("read", "sub.example.net."));
 * assert.equal(Access.of(["write:"]), undefined);
 * ```
 */
export class Access {
  readonly isAdmin: boolean;
  readonly #rights: ReadonlyMap<string, Right>;

  private constructor(isAdmin: boolean, rights: ReadonlyMap<string, Right>) {
    this.isAdmin = isAdmin;
    this.#rights = rights;
  }

  /** May do everything. */
  static readonly ADMIN: Access = new Access(true, new Map());

  /** The access of scopes; undefined if one is none. */
  static of(scopes: readonly string[]): Access | undefined {
    const rights = new Map<string, Right>();
    let isAdmin = false;
    for (const scope of scopes) {
      if (scope === "admin") {
        isAdmin = true;
        continue;
      }
      const [, right, zone] = /^(read|write):(.+)$/.exec(scope) ?? [];
      const name = zone === ALL ? ALL : canonical(zone ?? "");
      if (name === undefined) return undefined;
      if (rights.get(name) !== "write") rights.set(name, right as Right);
    }
    return new Access(isAdmin, rights);
  }

  /** @param zone its name in full, in lower case, as `nameToText` writes it. */
  may(right: Right, zone: string): boolean {
    if (this.isAdmin) return true;
    return [this.#rights.get(zone), this.#rights.get(ALL)].some((own) => {
      return own === "write" || own === right;
    });
  }
}

/** The text of a zone's name in lower case; undefined if it is none. */
export function canonical(text: string): string | undefined {
  const name = nameFromText(text);
  if (!name.ok || name.value.length === 1) return undefined;
  return nameToText(octetsOf(foldCase(octetString(name.value))));
}
