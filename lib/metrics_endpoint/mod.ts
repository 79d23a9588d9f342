/**
 * `/metrics` and `/healthz` over HTTP, for a text and a state that a program brings.
 *
 * @module
 */
export { EndpointError, type EndpointOptions, MetricsEndpoint } from "./endpoint.ts";
