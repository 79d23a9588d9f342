import { RefusedError } from "../queue/mod.ts";
import { MAX_LISTENERS, MAX_POLICIES, MAX_ROUTES, MAX_RULES } from "../state/mod.ts";

/** How much a state may hold. A whole state is checked as it is read; what is added one by one, here. */
export interface StateLimits {
  readonly listeners: number;
  /** Of one listener. */
  readonly routes: number;
  /** Of one route. */
  readonly policies: number;
  readonly rules: number;
}

export const STATE_LIMITS: StateLimits = {
  listeners: MAX_LISTENERS,
  routes: MAX_ROUTES,
  policies: MAX_POLICIES,
  rules: MAX_RULES,
};

/**
 * Refuses one more where there are as many as there may be.
 *
 * @throws {RefusedError} `failed_precondition`
 */
export function refuseOneMore(
  kind: keyof StateLimits,
  { holds, limits }: { readonly holds: number; readonly limits: StateLimits },
): void {
  const most = limits[kind];
  if (holds < most) return;
  throw new RefusedError(
    "failed_precondition",
    `${kind}: holds ${holds}, and not more than ${most}`,
  );
}
