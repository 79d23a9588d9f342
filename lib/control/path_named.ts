import { invalid, missing } from "../queue/mod.ts";
import { pathName, type Route, type RoutePath } from "../state/mod.ts";

/** One of a route's paths. */
export interface NamedPath {
  readonly rule: RoutePath;
  readonly name: string;
}

/**
 * The paths of a route that a text may mean: `/api` every one that is so, `exact /api` and
 * `prefix /api` (also with `=` for the blank) the one.
 */
export function pathsNamed({ paths = [] }: Route, text: string): NamedPath[] {
  const wanted = text.replace(/^(exact|prefix)=/, "$1 ");
  return paths.map((rule) => ({ rule, name: pathName(rule) }))
    .filter(({ rule, name }) => name === wanted || (rule.exact ?? rule.prefix) === wanted);
}

/**
 * The one path of a route that a text means.
 *
 * @throws {RefusedError}
 */
export function findPath(route: Route, text: string): NamedPath {
  const found = pathsNamed(route, text);
  const [first, ...others] = found;
  if (first === undefined) throw missing(`the path ${text} of ${route.hostname}`);
  if (others.length === 0) return first;
  const names = found.map(({ name }) => JSON.stringify(name)).join(" and ");
  throw invalid("path", `means both ${names}`);
}
