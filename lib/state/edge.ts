import { boolean, field } from "../schema/mod.ts";
import { EVERY_NAME } from "./address.ts";
import { headerEdits, hsts } from "./header_edits.ts";
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
} as const;

/** Of them, what decides on what else a route needs. */
export interface Edge {
  readonly hostname: string;
  readonly isDefault?: boolean;
  readonly respond?: object;
  readonly rate?: RouteRate;
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
