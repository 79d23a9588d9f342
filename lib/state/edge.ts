import { boolean, field, records } from "../schema/mod.ts";
import { EVERY_NAME } from "./address.ts";
import { BASIC_AUTH, FORWARD_AUTH } from "./auth.ts";
import { headerEdits, hsts } from "./header_edits.ts";
import { ERROR_PAGE } from "./error_page.ts";
import { MAX_ERROR_PAGES, MAX_PATHS } from "./limits.ts";
import { ROUTE_PATH, type RoutePath } from "./path.ts";
import { RESPOND } from "./respond.ts";
import { ROUTE_LIMITS, type RouteRate } from "./route_limits.ts";

const L7 = ["l7"] as const;

/** What `tls_cert` says of a route whose certificate an authority issues. */
export const ACME = "acme";

/** The fields of a route that are about what an edge does before a backend is asked. */
export const EDGE = {
  isDefault: field("default", boolean(), {
    optional: true,
    absent: false,
    since: 16,
    doc: "The route of its listener for every name that no other route is for, beside its own. " +
      "With `l4` it also takes clients that name nobody; what is not TLS is reset all the same. A " +
      "listener has one at most, and without it an unknown name is reset. `acme` orders for the " +
      "route's own hostname alone.",
    flag: {
      about: "take every name that no other route of the listener is for",
      off: "take its own name alone",
    },
  }),
  maintenance: field("maintenance", boolean(), {
    optional: true,
    absent: false,
    since: 16,
    modes: L7,
    doc: "Answer every request 503 with a `Retry-After` of a minute, and ask no backend. " +
      "`mcproxyctl` sets it at run time (`routes maintenance`).",
    flag: { about: "answer 503 to every request", off: "ask the backend again" },
  }),
  respond: field("respond", RESPOND, {
    optional: true,
    since: 16,
    modes: L7,
    doc: "Answer every request with this; there need be no backend.",
    flag: { value: "json", about: 'a fixed answer, such as {"status":404,"body":"gone"}' },
  }),
  ...ROUTE_LIMITS,
  responseHeaders: field("response_headers", headerEdits("response"), {
    optional: true,
    since: 18,
    modes: L7,
    doc: "Fields of every answer to clients, the proxy's own ones too.",
    flag: {
      value: "json",
      about: 'fields of answers, such as {"set":["X-A: b"],"remove":["Server"]}',
    },
  }),
  requestHeaders: field("request_headers", headerEdits("request"), {
    optional: true,
    since: 18,
    modes: L7,
    doc: "Fields of every request to the backend. Policies see what the client sent.",
    flag: { value: "json", about: "fields of requests, as --response-headers" },
  }),
  hsts: field("hsts", hsts(), {
    optional: true,
    absent: "",
    since: 18,
    modes: L7,
    doc: "Have browsers use TLS alone for this name for so long (`Strict-Transport-Security`); " +
      "`true` is a year. What the backend says itself of it stands.",
    flag: { value: "duration", about: "have browsers use TLS alone for so long" },
  }),
  basicAuth: field("basic_auth", BASIC_AUTH, {
    optional: true,
    since: 19,
    modes: L7,
    doc: "Ask for a name and a password (RFC 7617). After ten wrong ones in a minute a client is " +
      "answered 429.",
    flag: { value: "json", about: 'names and passwords, such as {"users":[{"name":…,"hash":…}]}' },
  }),
  forwardAuth: field("forward_auth", FORWARD_AUTH, {
    optional: true,
    since: 19,
    modes: L7,
    doc: "Ask somebody else whether each request may pass, tunnels too.",
    flag: { value: "key=value,…", about: "whom to ask for each request, such as url=http://…" },
  }),
  errorPages: field("error_pages", records(ERROR_PAGE, { maxLength: MAX_ERROR_PAGES }), {
    optional: true,
    absent: [],
    since: 20,
    modes: L7,
    doc:
      "What clients are told of errors that are the proxy's own, before those of `l7`. Errors of " +
      "the backend pass as they are, and what is reset is reset.",
    flag: {
      value: "json",
      about: 'an own error, such as {"status":503,"body":"soon"}; may be repeated',
    },
  }),
  paths: field("paths", records(ROUTE_PATH, { maxLength: MAX_PATHS }), {
    optional: true,
    absent: [],
    since: 20,
    modes: L7,
    doc:
      "What becomes of requests by their path: exact ones first, then the longest prefix, then " +
      "the route itself. Compared is the decoded path without the query, upper and lower case " +
      "apart; the backend gets it as it came. Paths that backends read in different ways (dot " +
      "segments, empty segments, encoded slashes, backslashes, `;`, escapes that are no UTF-8 or " +
      "escaped twice) are answered 400.",
    flag: {
      value: "key=value,…",
      about: "one path, such as prefix=/api,backend=a:80; may be repeated",
    },
  }),
} as const;

/** Of them, what decides on what else a route needs. */
export interface Edge {
  readonly hostname: string;
  readonly isDefault?: boolean;
  readonly respond?: object;
  readonly rate?: RouteRate;
  readonly paths?: readonly RoutePath[];
}

/** A route for every name has no name that an authority or an authoriser could be asked for. */
export function checkDefault(
  { hostname, isDefault = false, mode, tlsCert }: Edge & {
    readonly mode: string;
    readonly tlsCert: string;
  },
  need: (key: string, message: string) => void,
): void {
  if (hostname === EVERY_NAME && !isDefault) {
    need(
      "hostname",
      '"*" is for a default route, with default = true; ' +
        'a wildcard is for names below one: "*.example.net"',
    );
  }
  if (isDefault && mode === "mtls") need("default", "is too much: mtls takes the host of the name");
  if (hostname === EVERY_NAME && tlsCert === ACME) {
    need("tls_cert", 'is invalid: no authority issues for "*"');
  }
}
