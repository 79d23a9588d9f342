import type { RoutePath } from "../state/mod.ts";

/** The paths of one route, ready for look-ups whose cost does not grow with their number. */
export interface PathTable {
  /** The rule for a decoded path: an exact one, or the longest prefix that ends where a segment does. */
  match(path: string): RoutePath | undefined;
}

/** Compiles the paths of a route. Of two that are the same the last one stands. */
export function compilePaths(paths: readonly RoutePath[]): PathTable {
  const exact = new Map<string, RoutePath>();
  const prefixes = new Map<string, RoutePath>();
  let longest = 0;
  for (const rule of paths) {
    if (rule.exact !== undefined) exact.set(rule.exact, rule);
    if (rule.prefix === undefined) continue;
    // `/` is the prefix of everything.
    const prefix = rule.prefix === "/" ? "" : rule.prefix;
    prefixes.set(prefix, rule);
    longest = Math.max(longest, prefix.length);
  }
  return {
    match(path) {
      const found = exact.get(path);
      if (found !== undefined) return found;
      // A path may be long, and no prefix is: what is beyond the longest one is not looked at.
      let end = path.length <= longest ? path.length : path.lastIndexOf("/", longest);
      for (; end >= 0; end = end === 0 ? -1 : path.lastIndexOf("/", end - 1)) {
        const rule = prefixes.get(path.slice(0, end));
        if (rule !== undefined) return rule;
      }
      return undefined;
    },
  };
}
