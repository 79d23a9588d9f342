import type { Clock } from "../relay/mod.ts";
import type { Route } from "../routes/mod.ts";
import { maintenanceStep, respondStep } from "./fixed_steps.ts";
import { compileEdits, compileResponseEdits } from "./header_edits.ts";
import { bodyStep, rateStep } from "./limit_steps.ts";
import type { MessageRules } from "./message_rules.ts";
import { policyStep } from "./policy_step.ts";
import type { Step } from "./step.ts";

/** What a route does with requests and answers, compiled once. */
export interface RoutePlan extends MessageRules {
  /** In the order in which a request meets them; most routes have none. */
  readonly steps: readonly Step[];
}

/** Compiles what a route says of its requests: cheap refusals first, and what costs time last. */
export function compilePlan(route: Route, clock: Clock): RoutePlan {
  const { maxRequestBody, requestHeaders, idleTimeoutMs } = route;
  return {
    steps: [...stepsOf(route, clock)],
    editRequest: compileEdits(requestHeaders),
    editResponse: compileResponseEdits(route),
    maxRequestBody,
    idleTimeoutMs,
  };
}

function* stepsOf(route: Route, clock: Clock): Generator<Step> {
  const { policies = [], maintenance = false, respond, rate, memory, maxRequestBody } = route;
  if (rate?.requests !== undefined && memory?.requestRate !== undefined) {
    const { requests: limit, perMs: windowMs } = rate;
    yield rateStep({ limit, windowMs, buffer: memory.requestRate }, clock);
  }
  if (maintenance) yield maintenanceStep();
  if (policies.length > 0) yield policyStep(policies);
  if (maxRequestBody !== undefined) yield bodyStep(maxRequestBody);
  if (respond !== undefined) yield respondStep(respond);
}
