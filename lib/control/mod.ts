/**
 * The control plane: compiles what the database holds into what the data plane serves.
 *
 * @module
 */
export { type CertificateExpiry } from "./certificate_expiry.ts";
export { type Health, HealthMonitor, type HealthSource } from "./health.ts";
export { Control, ControlError, type ControlOptions, type PlaneSinks } from "./control.ts";
