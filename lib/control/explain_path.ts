import { compilePaths, readRequestPath } from "../routes/mod.ts";
import { pathRoute, type Route, type RoutePath } from "../state/mod.ts";

/** What a route's paths say of a request. */
export interface ExplainedPath {
  readonly words: string;
  /** Nothing that comes later is asked. */
  readonly isEnd: boolean;
  readonly skipsAuth: boolean;
}

/** Which of a route's paths a request takes, found as requests find it. */
export function explainPath(paths: readonly RoutePath[], target: string): ExplainedPath {
  const read = readRequestPath(target);
  if (!read.ok) {
    const words = `path: ${JSON.stringify(target)} is answered 400: ${read.reason}`;
    return { words, isEnd: true, skipsAuth: false };
  }
  const asked = JSON.stringify(read.path);
  const rule = compilePaths(paths).match(read.path);
  if (rule === undefined) {
    return { words: `path: none is for ${asked}`, isEnd: false, skipsAuth: false };
  }
  const how = rule.exact === undefined ? `the prefix ${rule.prefix}` : "the exact path";
  const where = rule.respond !== undefined
    ? ` and answers ${rule.respond.status}`
    : rule.backend === undefined
    ? ""
    : ` to ${whereTo(rule)}`;
  const skipsAuth = rule.skipAuth === true;
  const free = skipsAuth ? ", without authentication" : "";
  return { words: `path: ${how} takes ${asked}${where}${free}`, isEnd: false, skipsAuth };
}

function whereTo({ backend = "", backends = [] }: RoutePath): string {
  return backends.length > 1 ? `one of ${backends.length} backends` : backend;
}

/** The route as a request for `target` has it; nothing: no backend is asked. */
export function wayOf(route: Route, target: string): Route | undefined {
  const { paths = [], respond } = route;
  const own = respond === undefined ? route : undefined;
  if (paths.length === 0 || target === "") return own;
  const read = readRequestPath(target);
  if (!read.ok) return undefined;
  const rule = compilePaths(paths).match(read.path);
  if (rule?.backend !== undefined) return pathRoute(route, rule);
  return rule?.respond === undefined ? own : undefined;
}
