import { Buffer } from "node:buffer";
import type { Result } from "../addr/mod.ts";
import {
  duration,
  field,
  integer,
  type Kind,
  parsed,
  type Place,
  record,
  type ValueOf,
} from "../schema/mod.ts";

/** In octets: it is kept in the database, and in the memory of each worker. */
export const MAX_BODY = 16_384;

const SECOND = 1000;
const DAY = 86_400 * SECOND;

/** What an l7 route answers itself. */
export const RESPOND = record({
  status: field("status", integer({ min: 200, max: 599 }), {
    required: true,
    doc: "The status. gRPC requests get the `grpc-status` that stands for it.",
  }),
  body: field("body", bodyText(), {
    default: "",
    doc: "The content. Empty: none.",
  }),
  contentType: field("content_type", contentType(), {
    default: "text/plain; charset=utf-8",
    doc: "What the content is.",
  }),
  retryAfterMs: field("retry_after", duration({ min: SECOND, max: 30 * DAY }), {
    optional: true,
    doc: "When to ask again (`Retry-After`), in whole seconds. Absent: nothing is said of it.",
  }),
}, { rule: checkBody });

/** A static answer. */
export type Respond = ValueOf<typeof RESPOND>;

/** The content of an answer: any text, so much that it may wait in memory. */
export function bodyText(): Kind<string> {
  return parsed(
    `text of at most ${MAX_BODY / 1024} KiB`,
    (text) =>
      Buffer.byteLength(text) > MAX_BODY
        ? { ok: false, reason: `over ${MAX_BODY} octets` }
        : { ok: true, value: text },
  );
}

/** A media type. */
export function contentType(): Kind<string> {
  return parsed("media type", (text): Result<string> => {
    const isOne = text.length <= 128 && /^[\w!#$&^.+-]+\/[\w!#$&^.+-]+(?:; ?[ -~]+)?$/.test(text);
    return isOne ? { ok: true, value: text } : { ok: false, reason: "not a media type" };
  });
}

/** Statuses that have no content (RFC 9110 §15.3.5, §15.3.6, §15.4.5). */
const EMPTY: ReadonlySet<number> = new Set([204, 205, 304]);

function checkBody(
  { status, body }: { readonly status: number; readonly body: string },
  { path, report }: Place,
): undefined {
  const at = [...path, "body"];
  if (EMPTY.has(status) && body !== "" && !report.hasProblem(at)) {
    report.problem(at, `is too much: an answer with ${status} has no content`);
  }
}
