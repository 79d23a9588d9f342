import type { Fields } from "../h2/mod.ts";
import { fieldValue } from "./fields.ts";
import type { DownstreamStream, FailureKind } from "./message.ts";

/** Statuses that the proxy itself answers with, and what it says. */
const REASONS: Readonly<Record<number, string>> = {
  400: "Bad Request",
  403: "Forbidden",
  408: "Request Timeout",
  421: "Misdirected Request",
  431: "Request Header Fields Too Large",
  501: "Not Implemented",
  502: "Bad Gateway",
  503: "Service Unavailable",
  504: "Gateway Timeout",
};

/** What a client hears when its backend does not answer. */
export const STATUS_OF: Readonly<Record<FailureKind, number>> = {
  unreachable: 502,
  timeout: 504,
  busy: 503,
  reset: 502,
  invalid: 502,
};

/**
 * `grpc-status` for each of our statuses: gRPC's "HTTP to gRPC Status Code Mapping", where 421 and
 * 431 are not named and so UNKNOWN (2); too large metadata is RESOURCE_EXHAUSTED (8) in gRPC itself.
 */
const GRPC_STATUS: Readonly<Record<number, number>> = {
  400: 13,
  403: 7,
  431: 8,
  501: 12,
  502: 14,
  503: 14,
  504: 14,
};
const GRPC_UNKNOWN = 2;

const ENCODER = new TextEncoder();

/** The reason phrase of one of our statuses. */
export function reasonPhrase(status: number): string {
  return REASONS[status] ?? "Error";
}

/**
 * Answers for the backend, shortly and without a word on internals. A gRPC client gets a
 * trailers-only response, which its library understands, instead of a page which it does not.
 */
export function localReply(
  front: DownstreamStream,
  status: number,
  request: { readonly method: string; readonly fields: Fields },
): void {
  if (isGrpc(request.fields)) {
    const fields = [
      "content-type",
      "application/grpc",
      "grpc-status",
      String(GRPC_STATUS[status] ?? GRPC_UNKNOWN),
      "grpc-message",
      reasonPhrase(status),
    ];
    front.respond({ status: 200, fields }, true);
    return;
  }
  const body = ENCODER.encode(`${status} ${reasonPhrase(status)}\n`);
  const fields = [
    "content-type",
    "text/plain; charset=utf-8",
    "content-length",
    String(body.length),
    "cache-control",
    "no-store",
  ];
  const hasBody = request.method !== "HEAD";
  front.respond({ status, fields }, !hasBody);
  if (hasBody) front.sendData(body, true);
}

/** Whether a request is gRPC's, by its content type (gRPC over HTTP/2, "Requests"). */
export function isGrpc(fields: Fields): boolean {
  const type = fieldValue(fields, "content-type");
  return type !== undefined &&
    (type === "application/grpc" || type.startsWith("application/grpc+") ||
      type.startsWith("application/grpc;"));
}
