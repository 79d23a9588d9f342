import { Buffer } from "node:buffer";
import type { Result } from "../addr/mod.ts";
import { boolean, field, parsed, type Place, record, type ValueOf } from "../schema/mod.ts";
import { backendAddress } from "./address.ts";
import { RESPOND } from "./respond.ts";

/** In octets. */
const MAX_PATH = 1024;

/** What becomes of some of the requests of an l7 route, by their path. */
export const ROUTE_PATH = record({
  prefix: field("prefix", parsed("path", parsePath), {
    optional: true,
    doc:
      "Paths that are this one or lie below it: `/api` stands for `/api` and `/api/x`, not for " +
      "`/apix`. The longest prefix wins. Give this or `exact`.",
  }),
  exact: field("exact", parsed("path", parseExact), {
    optional: true,
    doc: "This path alone. It wins over every prefix.",
  }),
  backend: field("backend", backendAddress(), {
    optional: true,
    doc: "Where these requests go, spoken to as the route's `backend` is. Absent: there.",
  }),
  respond: field("respond", RESPOND, {
    optional: true,
    doc: "Answer these requests with this.",
  }),
  skipAuth: field("skip_auth", boolean(), {
    optional: true,
    absent: false,
    doc: "Let these requests pass without the route's `basic_auth` and `forward_auth`.",
  }),
}, { rule: checkPath });

/** What becomes of some of the requests of a route. */
export type RoutePath = ValueOf<typeof ROUTE_PATH>;

/** A decoded path in the one form in which requests are compared with it. */
function parseExact(text: string): Result<string> {
  if (!text.startsWith("/")) return { ok: false, reason: "it does not begin with a slash" };
  if (Buffer.byteLength(text) > MAX_PATH) return { ok: false, reason: `over ${MAX_PATH} octets` };
  if (/[%?#;\\]|\/\//.test(text)) {
    return { ok: false, reason: "it is written decoded, without %, ?, #, ;, \\ and //" };
  }
  if (/(?:^|\/)\.{1,2}(?:\/|$)/.test(text)) return { ok: false, reason: "a segment is . or .." };
  // deno-lint-ignore no-control-regex -- they are what is looked for
  return /[\u0000-\u001f\u007f]/.test(text)
    ? { ok: false, reason: "it holds a control character" }
    : { ok: true, value: text };
}

/** A slash at its end says nothing. */
function parsePath(text: string): Result<string> {
  const path = parseExact(text);
  return path.ok && path.value !== "/" ? { ok: true, value: path.value.replace(/\/$/, "") } : path;
}

interface Checked {
  readonly prefix?: string;
  readonly exact?: string;
  readonly backend?: string;
  readonly respond?: object;
}

function checkPath(
  { prefix, exact, backend, respond }: Checked,
  { path, report }: Place,
): undefined {
  const isRefused = ["prefix", "exact"].some((key) => report.hasProblem([...path, key]));
  if (!isRefused && (prefix === undefined) === (exact === undefined)) {
    report.problem(path, "needs one of prefix and exact");
  }
  if (backend !== undefined && respond !== undefined) {
    report.problem([...path, "respond"], "is too much beside backend");
  }
}

/** Says which paths repeat others. */
export function refuseRepeatedPaths(paths: readonly Checked[], { path, report }: Place): void {
  const seen = new Set<string>();
  for (const [i, { prefix, exact }] of paths.entries()) {
    const key = exact === undefined ? `prefix ${prefix}` : `exact ${exact}`;
    const at = [...path, "paths", i];
    if (seen.has(key) && !report.hasProblem(at)) report.problem(at, `repeats ${key}`);
    seen.add(key);
  }
}
