import type { Route } from "../routes/mod.ts";
import { maintenanceStep, respondStep } from "./fixed_steps.ts";
import { policyStep } from "./policy_step.ts";
import type { Step } from "./step.ts";

/** What a route does with requests before a backend is asked, compiled once. */
export interface RoutePlan {
  /** In the order in which a request meets them; most routes have none. */
  readonly steps: readonly Step[];
}

/** Compiles what a route says of its requests: cheap refusals first, and what costs time last. */
export function compilePlan(route: Route): RoutePlan {
  const steps: Step[] = [];
  const { policies = [], maintenance = false, respond } = route;
  if (maintenance) steps.push(maintenanceStep());
  if (policies.length > 0) steps.push(policyStep(policies));
  if (respond !== undefined) steps.push(respondStep(respond));
  return { steps };
}
