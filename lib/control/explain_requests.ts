import { formatDuration } from "../schema/mod.ts";
import type { Route } from "../routes/mod.ts";
import { explainPath } from "./explain_path.ts";

/** What becomes of the requests of an l7 route, in the order in which they meet it. */
export function* explainRequests(route: Route, path: string): Generator<string> {
  if (route.mode !== "l7") return;
  if (route.maintenance === true) {
    yield "maintenance: every request is answered 503";
    return;
  }
  if (route.rate?.requests !== undefined) {
    const { requests, perMs } = route.rate;
    yield `rate limit: ${requests} requests of a client in ${formatDuration(perMs)}; more are ` +
      "answered 429";
  }
  for (const { type, value } of route.policies ?? []) {
    yield `policy: requests have to pass ${type} ${JSON.stringify(value)}, or are answered 403`;
  }
  const { paths = [] } = route;
  const taken = paths.length > 0 && path !== "" ? explainPath(paths, path) : undefined;
  if (taken !== undefined) yield taken.words;
  else if (paths.length > 0) yield `paths: ${paths.length} lead elsewhere or are answered here`;
  if (taken?.isEnd === true) return;
  if (route.basicAuth !== undefined && taken?.skipsAuth !== true) {
    yield `basic_auth: requests need the password of one of ${route.basicAuth.users.length} users`;
  }
  if (route.forwardAuth !== undefined && taken?.skipsAuth !== true) {
    yield `forward_auth: ${route.forwardAuth.url} is asked whether a request may pass`;
  }
  if (route.respond !== undefined) {
    yield `respond: every request is answered ${route.respond.status}, and no backend is asked`;
  }
}
