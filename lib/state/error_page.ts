import { field, integer, record, type ValueOf } from "../schema/mod.ts";
import { bodyText, contentType } from "./respond.ts";

/** What the proxy says of one of its own errors. */
export const ERROR_PAGE = record({
  status: field("status", integer({ min: 400, max: 599 }), {
    required: true,
    doc: "Which error: 400, 401, 403, 404, 413, 421, 429, 431, 501, 502, 503 or 504.",
  }),
  body: field("body", bodyText(), {
    required: true,
    doc: "The content, in place of the status and its name. gRPC clients get none, nor does HEAD.",
  }),
  contentType: field("content_type", contentType(), {
    default: "text/html; charset=utf-8",
    doc: "What the content is.",
  }),
}, { identity: ["status"] });

/** What the proxy says of one of its own errors. */
export type ErrorPage = ValueOf<typeof ERROR_PAGE>;
