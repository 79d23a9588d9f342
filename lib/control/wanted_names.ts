import type { Snapshot } from "../plane/mod.ts";
import { ACME } from "../state/mod.ts";

/**
 * The names that want a certificate from an authority: of routes and the connector, and of nothing else.
 * Whoever could make us order other names could shut the account out.
 *
 * @param names of the connector.
 */
export function wantedNames(
  { listeners }: Pick<Snapshot, "listeners">,
  names: readonly string[],
): ReadonlySet<string> {
  const wanted = new Set(names);
  for (const { routes } of listeners) {
    for (const { tlsCert, hostname } of routes) if (tlsCert === ACME) wanted.add(hostname);
  }
  return wanted;
}
