/** Every way into an exchange: each is guarded, so that what it throws ends that exchange alone. */
export const STEPS = [
  "forward",
  "refuse",
  "answer",
  "requestData",
  "requestTrailers",
  "requestInvalid",
  "downstreamDrained",
  "downstreamGone",
  "onLease",
  "onUnavailable",
  "onResponse",
  "onData",
  "onTrailers",
  "onDrain",
  "onFailure",
  "expire",
] as const;
