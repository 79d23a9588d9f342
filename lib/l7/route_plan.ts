import { createRateLimiter } from "../firewall/mod.ts";
import type { Clock, Deadlines } from "../relay/mod.ts";
import type { Route } from "../routes/mod.ts";
import type { Upstream } from "../upstream/mod.ts";
import { basicAuthStep, GUESS_WINDOW_MS, MAX_GUESSES } from "./basic_auth_step.ts";
import { maintenanceStep, respondStep } from "./fixed_steps.ts";
import { compilePages, type PageOf, type Pages } from "./error_pages.ts";
import { forwardAuthStep } from "./forward_auth_step.ts";
import { compileEdits, compileResponseEdits } from "./header_edits.ts";
import { bodyStep, rateStep } from "./limit_steps.ts";
import type { BackendConnection } from "./message.ts";
import type { MessageRules } from "./message_rules.ts";
import { authRoute } from "./other_ways.ts";
import type { Passwords } from "./passwords.ts";
import { pathAnswerStep, pathStep, unlessLed, unlessSkipped } from "./path_steps.ts";
import { policyStep } from "./policy_step.ts";
import type { Step } from "./step.ts";

/** What a route does with requests and answers, compiled once. */
export interface RoutePlan extends MessageRules {
  /** In the order in which a request meets them; most routes have none. */
  readonly steps: readonly Step[];
}

/** What steps need of the service. */
export interface PlanServices {
  readonly clock: Clock;
  readonly passwords: Passwords;
  /** The way to what a route asks whether requests may pass. */
  readonly authUpstream: (way: Route) => Upstream<BackendConnection>;
  readonly deadlines: (ms: number) => Deadlines;
  /** What is said of errors where a route says nothing. */
  readonly pages: Pages;
  readonly pageOf: PageOf;
}

/** Compiles what a route says of its requests: cheap refusals first, and what costs time last. */
export function compilePlan(route: Route, services: PlanServices): RoutePlan {
  const { maxRequestBody, requestHeaders, idleTimeoutMs, errorPages } = route;
  const { pages: base, pageOf } = services;
  return {
    steps: [...stepsOf(route, services)],
    editRequest: compileEdits(requestHeaders),
    editResponse: compileResponseEdits(route),
    pages: errorPages === undefined ? base : compilePages(errorPages, { pageOf, base }),
    maxRequestBody,
    idleTimeoutMs,
  };
}

function* stepsOf(route: Route, services: PlanServices): Generator<Step> {
  const { clock } = services;
  const { policies = [], maintenance = false, respond, rate, memory, maxRequestBody } = route;
  if (rate?.requests !== undefined && memory?.requestRate !== undefined) {
    const { requests: limit, perMs: windowMs } = rate;
    yield rateStep({ limit, windowMs, buffer: memory.requestRate }, clock);
  }
  if (maintenance) yield maintenanceStep();
  if (policies.length > 0) yield policyStep(policies);
  if (maxRequestBody !== undefined) yield bodyStep(maxRequestBody);
  const { paths = [] } = route;
  if (paths.length === 0) {
    yield* authSteps(route, services);
    if (respond !== undefined) yield respondStep(respond);
    return;
  }
  yield pathStep(route, paths);
  for (const step of authSteps(route, services)) yield unlessSkipped(step);
  yield pathAnswerStep(route, paths);
  if (respond !== undefined) yield unlessLed(respondStep(respond));
}

function* authSteps(
  route: Route,
  { clock, passwords, authUpstream, deadlines }: PlanServices,
): Generator<Step> {
  const { basicAuth, forwardAuth, memory } = route;
  if (basicAuth !== undefined) {
    const guesses = createRateLimiter({
      limit: MAX_GUESSES,
      windowMs: GUESS_WINDOW_MS,
      ...memory?.guesses === undefined
        ? { key: crypto.getRandomValues(new Uint32Array(4)), maxSources: 1024 }
        : { buffer: memory.guesses },
    });
    yield basicAuthStep(basicAuth, { passwords, guesses, clock });
  }
  const way = authRoute(route);
  if (forwardAuth !== undefined && way !== undefined) {
    yield forwardAuthStep(forwardAuth, { upstream: () => authUpstream(way), deadlines });
  }
}
