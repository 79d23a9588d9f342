import { type RpcCode, RpcError } from "../rpc/mod.ts";
import { failureOf } from "./failures.ts";

const CODES: Readonly<Record<string, RpcCode>> = {
  busy: "resource_exhausted",
  "shutting_down": "unavailable",
  unknown: "unauthenticated",
  forbidden: "permission_denied",
  "too_many": "resource_exhausted",
  locked: "unavailable",
  "not_writer": "unavailable",
  "disk_full": "resource_exhausted",
  "read_only": "failed_precondition",
  replaced: "failed_precondition",
};

/** The one translation of errors for callers of gRPC; what it does not know stays internal. */
export function toRpcError(error: unknown): unknown {
  const failure = failureOf(error);
  if (failure === undefined) return error;
  const violations = (failure.fields ?? []).map(({ field, message }) => {
    return { field, description: message };
  });
  const code = CODES[failure.code] ?? failure.code as RpcCode;
  return new RpcError(code, failure.title, { cause: error, violations });
}
