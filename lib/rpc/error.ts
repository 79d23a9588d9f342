import { status } from "@grpc/grpc-js";

/** The status codes of gRPC (https://grpc.io/docs/guides/status-codes), in words. */
const STATUS = {
  cancelled: status.CANCELLED,
  unknown: status.UNKNOWN,
  invalid_argument: status.INVALID_ARGUMENT,
  deadline_exceeded: status.DEADLINE_EXCEEDED,
  not_found: status.NOT_FOUND,
  already_exists: status.ALREADY_EXISTS,
  permission_denied: status.PERMISSION_DENIED,
  resource_exhausted: status.RESOURCE_EXHAUSTED,
  failed_precondition: status.FAILED_PRECONDITION,
  aborted: status.ABORTED,
  out_of_range: status.OUT_OF_RANGE,
  unimplemented: status.UNIMPLEMENTED,
  internal: status.INTERNAL,
  unavailable: status.UNAVAILABLE,
  data_loss: status.DATA_LOSS,
  unauthenticated: status.UNAUTHENTICATED,
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

  constructor(code: RpcCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }

  /** The number on the wire. */
  get status(): status {
    return STATUS[this.code];
  }
}

/** The code behind a number on the wire. */
export function rpcCodeOf(number: number): RpcCode {
  return CODES.get(number) ?? "unknown";
}
