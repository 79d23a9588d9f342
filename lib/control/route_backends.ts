import { missing, RefusedError, refuseProblems } from "../queue/mod.ts";
import { Report } from "../schema/mod.ts";
import { type Backend, backendsOf, ROUTE, type Route, type RouteSettings } from "../state/mod.ts";
import { findPath } from "./path_named.ts";

/** The route with other backends, or one of its paths, in the one form that there is for them. */
export function withBackends(
  before: Route,
  path: string,
  change: (backends: readonly Backend[]) => readonly Backend[],
): RouteSettings {
  const { policies: _, id: __, ...settings } = before;
  const report = new Report();
  const changed = path === ""
    ? { ...settings, backend: "", backends: change(backendsOf(before)) }
    : { ...settings, paths: withPathBackends(before, path, change) };
  const route = ROUTE.check(changed, { path: [], report });
  refuseProblems(report);
  return route;
}

function withPathBackends(
  before: Route,
  path: string,
  change: (backends: readonly Backend[]) => readonly Backend[],
): NonNullable<Route["paths"]> {
  const { rule, name } = findPath(before, path);
  const { backend, backends, ...rest } = rule;
  if (backend === undefined) {
    throw new RefusedError(
      "failed_precondition",
      `${name} of ${before.hostname} has no backends of its own`,
    );
  }
  const there = backendsOf(backends === undefined ? { backend } : { backend, backends });
  const changed = { ...rest, backends: change(there) };
  return (before.paths ?? []).map((it) => it === rule ? changed : it);
}

interface Named {
  readonly addr: string;
  readonly subject: string;
}

export function refuseUnknown(backends: readonly Backend[], { addr, subject }: Named): void {
  if (backends.some((backend) => backend.addr === addr)) return;
  throw missing(`the backend ${addr} of ${subject}`);
}

/** A route whose backends are all out would refuse everybody, which nobody means by this. */
export function refuseLast(backends: readonly Backend[], named: Named): void {
  refuseUnknown(backends, named);
  const { addr, subject } = named;
  if (backends.some((other) => other.addr !== addr && other.state === "up")) return;
  throw new RefusedError(
    "failed_precondition",
    `${addr} is the last backend of ${subject} that is up: add another one, or bring one up, first`,
  );
}
