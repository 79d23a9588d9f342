/**
 * Active checks of backends: made by the control plane, once for all workers, each by a connection
 * of its own. What they find is written to the cells of lib/balance.
 *
 * @module
 */
export { checkBackend, type CheckOptions, type CheckTarget } from "./check.ts";
export { type Checked, Checker, type CheckerOptions } from "./checker.ts";
export { CHECKERS, SharedChecks, type ToldChecks } from "./shared_checks.ts";
