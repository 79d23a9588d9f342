import type { DecidedDnsChange } from "../db/mod.ts";
import type { Difference } from "./difference.ts";

/** The row of the decision goes with the first of them. */
export function decided(
  [first, ...others]: readonly Difference[],
  row: DecidedDnsChange,
): readonly Difference[] {
  if (first === undefined) return [];
  const write: Difference["write"] = ({ database }) => database.dnsChanges.add(row);
  return [{ ...first, write }, ...others];
}
