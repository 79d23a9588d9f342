import type { SetDifference } from "../dns_rest/mod.ts";
import type { Difference } from "./difference.ts";

/** What becomes of sets of records at the name server; of our own rows, none is written. */
export function dnsDifferences(sets: readonly SetDifference[]): Difference[] {
  return sets.map(({ name, type, before, after }) => {
    const [was, is] = [before, after].map(({ ttl, values }) =>
      values.length === 0 ? undefined : { ttl, values: [...values] }
    );
    const action = was === undefined ? "add" : is === undefined ? "remove" : "update";
    return {
      ...{ action, kind: "dns_set", subject: `${name} ${type}` },
      ...was !== undefined && { before: was },
      ...is !== undefined && { after: is },
      edits: [],
      write: () => {},
    };
  });
}
