import { compileL7Policies, type L7Policy } from "../routes/mod.ts";
import type { Step } from "./step.ts";

/** What a request has to pass. */
export function policyStep(policies: readonly L7Policy[]): Step {
  const firstUnmet = compileL7Policies(policies);
  return ({ exchange }) => {
    const unmet = firstUnmet(exchange.head.fields);
    if (unmet === undefined) return undefined;
    const policy = `${unmet.type} ${unmet.value} (#${unmet.id})`;
    return { status: 403, reason: "refused by a policy", policy };
  };
}
