import type { FieldViolation } from "./status_details.ts";

/** The status codes of gRPC (https://grpc.io/docs/guides/status-codes), in words. */
const STATUS = {
  cancelled: 1,
  unknown: 2,
  "invalid_argument": 3,
  "deadline_exceeded": 4,
  "not_found": 5,
  "already_exists": 6,
  "permission_denied": 7,
  "resource_exhausted": 8,
  "failed_precondition": 9,
  aborted: 10,
  "out_of_range": 11,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  "data_loss": 15,
  unauthenticated: 16,
} as const;

/** One of gRPC's status codes, in words. */
export type RpcCode = keyof typeof STATUS;

const CODES = new Map<number, RpcCode>(
  Object.entries(STATUS).map(([code, number]) => [number, code as RpcCode]),
);

/** A call failed; the message is for the caller to read. */
export class RpcError extends Error {
  override readonly name = "RpcError";
  readonly code: RpcCode;
  /** Every field of the request that is wrong; the message says the first. */
  readonly violations: readonly FieldViolation[];

  constructor(
    code: RpcCode,
    message: string,
    options: ErrorOptions & { readonly violations?: readonly FieldViolation[] } = {},
  ) {
    super(message, options);
    this.code = code;
    this.violations = options.violations ?? [];
  }

  /** The number on the wire. */
  get status(): number {
    return STATUS[this.code];
  }
}

/** The code behind a number on the wire. */
export function rpcCodeOf(number: number): RpcCode {
  return CODES.get(number) ?? "unknown";
}
