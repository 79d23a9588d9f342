/**
 * Steps that look at what a request asks for, and go by it.
 *
 * @module
 */
import { compilePaths, readRequestPath, type Route } from "../routes/mod.ts";
import type { RoutePath } from "../state/mod.ts";
import type { Answer } from "./answer.ts";
import { respondStep } from "./fixed_steps.ts";
import { pathWay } from "./other_ways.ts";
import type { Step } from "./step.ts";

/** Finds the rule for a request's path. One that can be read in two ways is nobody's. */
export function pathStep(route: Route, paths: readonly RoutePath[]): Step {
  const table = compilePaths(paths);
  return ({ exchange }) => {
    const read = readRequestPath(exchange.head.path);
    if (!read.ok) return { status: 400, reason: `ambiguous path: ${read.reason}` };
    const rule = table.match(read.path);
    exchange.path = rule;
    if (rule?.backend !== undefined) exchange.way = pathWay(route, rule);
    return undefined;
  };
}

/** A step that requests do not meet whose path says so. */
export function unlessSkipped(step: Step): Step {
  return (asked) => asked.exchange.path?.skipAuth === true ? undefined : step(asked);
}

/** What is answered where no backend is: what the path says, or that there is nothing. */
export function pathAnswerStep({ backend, respond }: Route, paths: readonly RoutePath[]): Step {
  const steps = new Map<RoutePath, Step>();
  for (const path of paths) {
    if (path.respond !== undefined) steps.set(path, respondStep(path.respond));
  }
  const nothing: Answer = { status: 404, reason: "no path of the route is for it" };
  const isNowhere = backend === "" && respond === undefined;
  return (asked) => {
    const { path, way } = asked.exchange;
    const own = path && steps.get(path);
    if (own !== undefined) return own(asked);
    return isNowhere && way === undefined ? nothing : undefined;
  };
}

/** The route's own answer, which requests of a path with a backend do not get. */
export function unlessLed(step: Step): Step {
  return (asked) => asked.exchange.way === undefined ? step(asked) : undefined;
}
