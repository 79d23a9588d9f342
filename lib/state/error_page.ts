import { field, integer, type Place, record, type ValueOf } from "../schema/mod.ts";
import { stateFile } from "./named_file.ts";
import { bodyText, contentType } from "./respond.ts";

/** Of a page's file, in octets: each worker holds it in memory. */
export const MAX_PAGE_FILE = 65_536;

/** What the proxy says of one of its own errors. */
export const ERROR_PAGE = record({
  status: field("status", integer({ min: 400, max: 599 }), {
    required: true,
    doc:
      "Which error: 400, 401, 403, 404, 408, 413, 414, 421, 429, 431, 501, 502, 503, 504 or 505.",
  }),
  body: field("body", bodyText(), {
    optional: true,
    doc:
      "The content, in place of the status and its name. gRPC clients get none, nor does HEAD. " +
      "Give this or `file`.",
  }),
  file: field("file", stateFile(), {
    optional: true,
    doc:
      "A file that holds the content: on the proxy's machine, of at least one octet and at most " +
      `${MAX_PAGE_FILE / 1024} KiB. It is looked at every five seconds and at a reload. One that ` +
      "cannot be used any more leaves in use what it held.",
  }),
  contentType: field("content_type", contentType(), {
    default: "text/html; charset=utf-8",
    doc: "What the content is.",
  }),
}, { identity: ["status"], rule: checkContent });

/** What the proxy says of one of its own errors. */
export type ErrorPage = ValueOf<typeof ERROR_PAGE>;

/** The octets of a page's file, or why they are no page; continues "the file …". */
export function judgePage(octets: Uint8Array): Uint8Array | string {
  // A file that is being written is cut to nothing first.
  if (octets.length === 0) return "is empty";
  return octets.length > MAX_PAGE_FILE ? `is over ${MAX_PAGE_FILE} octets` : octets;
}

function checkContent(
  { body, file }: { readonly body?: string; readonly file?: string },
  { path, report }: Place,
): undefined {
  const isRefused = ["body", "file"].some((key) => report.hasProblem([...path, key]));
  if (isRefused) return;
  if (body === undefined && file === undefined) report.problem(path, "needs one of body and file");
  if (body !== undefined && file !== undefined) {
    report.problem([...path, "file"], "is too much beside body");
  }
}
