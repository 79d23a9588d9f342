import { identityOf, type RecordShape } from "../schema/mod.ts";
import { POLICY, type Policy, type RouteSettings } from "../state/mod.ts";
import type { Difference } from "./difference.ts";
import * as differences from "./differences.ts";
import { outOfPlace } from "./out_of_place.ts";

/** The differences between the policies of a route that are there and those that are wanted. */
export function planPolicies(
  addr: string,
  { hostname, policies = [] }: RouteSettings,
  all: readonly Policy[],
  { isOrdered = false }: { readonly isOrdered?: boolean } = {},
): Difference[] {
  const namesOf = (them: readonly Policy[]) => them.map((it) => identityOf(POLICY.shape, it));
  const moved = isOrdered ? outOfPlace(namesOf(all), namesOf(policies)) : new Set();
  const there = all.filter((it) => !moved.has(identityOf(POLICY.shape, it)));
  const gone = [...without(POLICY, all, policies), ...without(POLICY, all, there)];
  const added = without(POLICY, policies, there);
  return [
    ...gone.map(({ type, value }) => differences.removePolicy(addr, hostname, { type, value })),
    ...added.map((policy) => differences.addPolicy(addr, hostname, policy)),
  ];
}

/** Those of `records` whose identity none of `others` has. */
function without<T extends object>(
  { shape }: { readonly shape: RecordShape },
  records: readonly T[],
  others: readonly object[],
): T[] {
  const known = new Set(others.map((it) => identityOf(shape, it)));
  return records.filter((it) => !known.has(identityOf(shape, it)));
}
