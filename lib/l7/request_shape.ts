import type { RequestHead } from "../h2/mod.ts";
import type { FieldRules } from "./field_rules.ts";
import type { HttpLimits } from "./http_limits.ts";
import { WEBSOCKET } from "./websocket.ts";

/** A request that is not forwarded: what the client hears, and what the log says. */
export interface Refusal {
  readonly status: number;
  readonly reason: string;
}

/** Requests that no backend gets to see, whatever their route. */
export function checkShape(
  head: RequestHead,
  { rules, limits }: { readonly rules: FieldRules; readonly limits: HttpLimits },
): Refusal | undefined {
  if (head.fields.length > 2 * limits.maxFields) return { status: 431, reason: "too many fields" };
  if (head.method === "CONNECT" && head.protocol === "") {
    return { status: 501, reason: "CONNECT is for forward proxies" };
  }
  // RFC 9113 §11.6: reserved, as it begins the preface of HTTP/2; a backend could take it for one.
  if (head.method === "PRI") return { status: 501, reason: "PRI is a preface and no method" };
  if (head.protocol !== "" && head.protocol !== WEBSOCKET) {
    return { status: 501, reason: "no tunnel but for WebSocket" };
  }
  if (head.authority === "") return { status: 400, reason: "the request names no host" };
  // Over TLS a request for `http` is one that somebody behind us would answer as for another origin.
  if (head.scheme !== "https") return { status: 400, reason: "the scheme is not https" };
  if (rules.ambiguousName(head.fields) !== undefined) {
    return { status: 400, reason: "a field's name can be read as another one" };
  }
  return undefined;
}
