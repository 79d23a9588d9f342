/**
 * What the proxy measures, for Prometheus: read from the data plane's shared memory when somebody
 * asks, at `/metrics`, with `/healthz` beside it.
 *
 * @module
 */
export { EndpointError, type EndpointOptions, MetricsEndpoint } from "../metrics_endpoint/mod.ts";
export { Families } from "./families.ts";
export { Metrics } from "./metrics.ts";
export type { MetricsSource } from "./source.ts";
