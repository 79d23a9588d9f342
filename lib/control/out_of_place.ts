/**
 * Of the names that are there, in their order, those that have to go and come back for the order to be
 * the wanted one: what is added comes last, so that only what both begin with can stay.
 */
export function outOfPlace(there: readonly string[], wanted: readonly string[]): Set<string> {
  const all = new Set(wanted);
  const kept = there.filter((name) => all.has(name));
  const first = kept.findIndex((name, i) => name !== wanted[i]);
  return new Set(first < 0 ? [] : kept.slice(first));
}
