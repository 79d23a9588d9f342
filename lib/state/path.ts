import { Buffer } from "node:buffer";
import type { Result } from "../addr/mod.ts";
import {
  boolean,
  field,
  oneOf,
  parsed,
  type Place,
  record,
  records,
  type ValueOf,
} from "../schema/mod.ts";
import { backendAddress } from "./address.ts";
import { BACKEND, type Backend, BALANCE_POLICIES, checkBackends, HEALTH } from "./backend.ts";
import { MAX_BACKENDS } from "./limits.ts";
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
  backends: field("backends", records(BACKEND, { maxLength: MAX_BACKENDS }), {
    optional: true,
    absent: [],
    doc: "Several backends for these requests, with counts, limits and states of their own, also " +
      "where the route has them too. `backend` is then the first of them, and need not be written.",
  }),
  balance: field("balance", oneOf(...BALANCE_POLICIES), {
    optional: true,
    doc: "Which of these backends gets a request. Absent: the route's `balance`.",
  }),
  health: field("health", HEALTH, {
    optional: true,
    doc: "Checks of these backends. Absent: with `backends`, the route's `health`.",
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

interface Named {
  readonly prefix?: string;
  readonly exact?: string;
}

interface Checked extends Named {
  readonly backend?: string;
  readonly backends?: readonly Backend[];
  readonly balance?: string;
  readonly health?: object;
  readonly respond?: object;
}

/** What tells a path from the others of its route, for people and for machines. */
export function pathName({ prefix, exact }: Named): string {
  return exact === undefined ? `prefix ${prefix}` : `exact ${exact}`;
}

function checkPath(rule: Checked, place: Place) {
  const { prefix, exact, balance, health, respond } = rule;
  const { path, report } = place;
  const isRefused = ["prefix", "exact"].some((key) => report.hasProblem([...path, key]));
  if (!isRefused && (prefix === undefined) === (exact === undefined)) {
    report.problem(path, "needs one of prefix and exact");
  }
  const balanced = checkBackends({ ...rule, backend: rule.backend ?? "" }, place);
  const { backend = rule.backend } = balanced ?? {};
  if (backend !== undefined && respond !== undefined) {
    report.problem([...path, "respond"], "is too much beside backend");
  }
  if (backend === undefined) {
    const needing = balance === undefined ? health && "health" : "balance";
    if (needing !== undefined) report.problem([...path, needing], "is too much without backends");
  }
  return balanced;
}

/** Says which paths repeat others. */
export function refuseRepeatedPaths(paths: readonly Named[], { path, report }: Place): void {
  const seen = new Set<string>();
  for (const [i, rule] of paths.entries()) {
    const key = pathName(rule);
    const at = [...path, "paths", i];
    if (seen.has(key) && !report.hasProblem(at)) report.problem(at, `repeats ${key}`);
    seen.add(key);
  }
}
