import type { Fields } from "../h2/mod.ts";
import type { Page, Pages } from "./error_pages.ts";
import { fieldValue } from "./fields.ts";
import type { Edit } from "./header_edits.ts";
import type { DownstreamStream, FailureKind } from "./message.ts";

/** Statuses that the proxy itself answers with, and what it says. */
const REASONS: Readonly<Record<number, string>> = {
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  408: "Request Timeout",
  413: "Content Too Large",
  421: "Misdirected Request",
  429: "Too Many Requests",
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
  full: 503,
  reset: 502,
  invalid: 502,
};

/**
 * `grpc-status` for each of our statuses: gRPC's "HTTP to gRPC Status Code Mapping", where 413, 421
 * and 431 are not named and so UNKNOWN (2); what is too large is RESOURCE_EXHAUSTED (8) in gRPC itself.
 */
const GRPC_STATUS: Readonly<Record<number, number>> = {
  400: 13,
  401: 16,
  403: 7,
  404: 12,
  413: 8,
  429: 14,
  431: 8,
  501: 12,
  502: 14,
  503: 14,
  504: 14,
};
const GRPC_UNKNOWN = 2;

const ENCODER = new TextEncoder();

/** What is answered for a backend, beside the status. */
export interface Reply {
  /** Absent: what is said of the status. */
  readonly page?: Page | undefined;
  /** Fields beyond those that say what the content is. */
  readonly fields: Fields;
}

/** The reason phrase of one of our statuses. */
export function reasonPhrase(status: number): string {
  return REASONS[status] ?? "Error";
}

/** What is said of a status, with fields beyond those of its content. */
export function errorReply(...fields: string[]): Reply {
  return { fields: [...NO_STORE, ...fields] };
}

/** What is said of a status unless the operator says something else. */
export function plainPage(status: number): Page {
  return {
    contentType: "text/plain; charset=utf-8",
    body: ENCODER.encode(`${status} ${reasonPhrase(status)}\n`),
  };
}

/** An error is about one moment. */
export const NO_STORE: Fields = ["cache-control", "no-store"];

/**
 * Answers for the backend, shortly and without a word on internals. A gRPC client gets a
 * trailers-only response, which its library understands, instead of a page which it does not.
 */
export function localReply(
  downstream: DownstreamStream,
  { status, reply = errorReply(), pages, edit = unchanged }: {
    readonly status: number;
    readonly reply?: Reply | undefined;
    /** What the operator says of statuses. */
    readonly pages?: Pages | undefined;
    /** What is done to the fields of every answer. */
    readonly edit?: Edit | undefined;
  },
  request: { readonly method: string; readonly fields: Fields },
): void {
  if (isGrpc(request.fields)) {
    downstream.respond({ status: 200, fields: edit(grpcFields(status)) }, true);
    return;
  }
  const { contentType, body } = reply.page ?? pages?.get(status) ?? plainPage(status);
  const { fields: more } = reply;
  const fields = [...contentFields(status, contentType, body), ...more];
  const hasBody = request.method !== "HEAD" && body.length > 0;
  downstream.respond({ status, fields: edit(fields) }, !hasBody);
  if (hasBody) downstream.sendData(body, true);
}

function unchanged(fields: Fields): Fields {
  return fields;
}

function grpcFields(status: number): string[] {
  return [
    "content-type",
    "application/grpc",
    "grpc-status",
    String(GRPC_STATUS[status] ?? GRPC_UNKNOWN),
    "grpc-message",
    reasonPhrase(status),
  ];
}

function contentFields(status: number, contentType: string, { length }: Uint8Array): string[] {
  if (length > 0) return ["content-type", contentType, "content-length", String(length)];
  // RFC 9110 §8.6: 204 has no length, and 304 none but that of what it stands for.
  return status === 204 || status === 304 ? [] : ["content-length", "0"];
}

/** Whether a request is gRPC's, by its content type (gRPC over HTTP/2, "Requests"). */
export function isGrpc(fields: Fields): boolean {
  const type = fieldValue(fields, "content-type");
  return type !== undefined &&
    (type === "application/grpc" || type.startsWith("application/grpc+") ||
      type.startsWith("application/grpc;"));
}
