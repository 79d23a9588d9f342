import { compilePaths, readRequestPath } from "../routes/mod.ts";
import type { RoutePath } from "../state/mod.ts";

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
    : ` to ${rule.backend}`;
  const skipsAuth = rule.skipAuth === true;
  const free = skipsAuth ? ", without authentication" : "";
  return { words: `path: ${how} takes ${asked}${where}${free}`, isEnd: false, skipsAuth };
}

/** Whether a request does not come to the route's own backends. */
export function isLedElsewhere(paths: readonly RoutePath[], target: string): boolean {
  if (paths.length === 0) return false;
  const read = readRequestPath(target);
  const rule = read.ok ? compilePaths(paths).match(read.path) : undefined;
  return !read.ok || rule?.backend !== undefined || rule?.respond !== undefined;
}
