/**
 * The control plane: compiles what the database holds into what the data plane serves.
 *
 * @module
 */
export { Control, ControlError, type ControlOptions, type PlaneSinks } from "./control.ts";
