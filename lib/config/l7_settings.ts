import type { Result } from "../addr/mod.ts";
import { isFieldName } from "../http/mod.ts";
import { boolean, list, oneOf, parsed, records, table } from "../schema/mod.ts";
import { ERROR_PAGE, ipOrCidr, MAX_ERROR_PAGES } from "../state/mod.ts";
import { httpLimits } from "./http_limits_settings.ts";
import type { L7Config } from "./types.ts";

/** `[l7]`. */
export const l7 = table<L7Config>({
  h2Transport: {
    key: "h2_transport",
    kind: oneOf("own", "node"),
    default: "own",
    doc: "Which HTTP/2 speaks to backends: `own` is that of this program, the same as in front; " +
      "`node` is the runtime's `node:http2`, for a backend that `own` should turn out not to get " +
      "along with, until that is mended. It takes three times the processor time, loses responses " +
      "that arrive together with a GOAWAY, and is native code that has ended the process on one.",
  },
  accessLog: {
    key: "access_log",
    kind: boolean(),
    default: true,
    doc:
      "Log each request of `l7` routes, at level `info`. The query of a request is never logged.",
  },
  refuseUnderscores: {
    key: "refuse_underscores",
    kind: boolean(),
    default: true,
    doc:
      "Requests with `_` in the name of a header field are answered 400. To CGI-style backends " +
      "`X_Forwarded_For` and `X-Forwarded-For` are one variable. When `false`, names that mean " +
      "something when written with hyphens are still refused.",
  },
  trustedForwarding: {
    key: "trusted_forwarding",
    kind: list(ipOrCidr()),
    default: [],
    doc:
      "Clients that are proxies of yours or of your CDN: what their requests say about earlier " +
      "hops (`X-Forwarded-*`, `Forwarded`, `X-Real-IP` and their like) is kept and added to. " +
      "Everybody else's is replaced or dropped. With `proxy_protocol` the client is the one that " +
      "the PROXY header names: whoever sends that header cannot write into TLS.",
  },
  requestTrailers: {
    key: "request_trailers",
    kind: list(parsed("name of a header field", fieldName)),
    default: [],
    doc: "Trailers that requests may have besides digests, signatures, `etag`, `server-timing` " +
      "and `grpc-*`; all others are dropped. Responses may have any but those that belong into a head.",
  },
  errorPages: {
    key: "error_pages",
    kind: records(ERROR_PAGE, { maxLength: MAX_ERROR_PAGES }),
    default: [],
    doc:
      "What clients of `l7` routes, and of listeners that redirect, are told of errors that are " +
      "the proxy's own. Those of a route come first, also where no request got to it: then it is " +
      "the route that the name of the connection (SNI) selected.",
  },
  limits: {
    key: "limits",
    kind: httpLimits,
    section: true,
    doc: "Bounds of requests and responses of `l7` routes, over HTTP/1.1 and HTTP/2.",
  },
});

function fieldName(text: string): Result<string> {
  const name = text.toLowerCase();
  return isFieldName(name)
    ? { ok: true, value: name }
    : { ok: false, reason: "not the name of a header field" };
}
