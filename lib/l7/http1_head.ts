import type { IncomingMessage } from "node:http";
import type { RequestHead } from "../h2/mod.ts";
import { endToEndFields, fieldValue, fieldValues, filterFields, listMembers } from "./fields.ts";
import { WEBSOCKET } from "./websocket.ts";

/** RFC 9112 §3.2: origin-form or asterisk-form, in the characters that HTTP/2's `:path` may have. */
const TARGET = /^(?:\/[!"$-~]*|\*)$/;
/** RFC 9112 §3.2.2; a client may send it to any server. */
const ABSOLUTE = /^https?:\/\/([^/?#]+)(.*)$/i;

/**
 * The head of an HTTP/1.1 request in the form that HTTP/2's have, or the status to refuse it with.
 * Framing (RFC 9112 §6) was checked by the parser: `Content-Length` with `Transfer-Encoding`,
 * repeated or odd lengths and unknown codings never get here.
 */
export function http1Head(request: IncomingMessage): RequestHead | number {
  const { rawHeaders } = request;
  const hosts = rawValues(rawHeaders, "host");
  // RFC 9112 §3.2: exactly one, whatever the version.
  if (hosts.length !== 1) return 400;
  const target = splitTarget(request.url ?? "", hosts[0] ?? "");
  if (target === undefined || (target.path === "*" && request.method !== "OPTIONS")) return 400;
  // Chunked is the only coding that this hop can take off (RFC 9112 §6.1).
  const codings = rawValues(rawHeaders, "transfer-encoding");
  if (codings.length > 1 || codings.some((coding) => coding.trim().toLowerCase() !== "chunked")) {
    return 501;
  }
  // RFC 9112 §6.1: a server must not believe it in HTTP/1.0.
  if (codings.length > 0 && request.httpVersion === "1.0") return 400;
  const fields = filterFields(endToEndFields(rawHeaders), (name) => name !== "host");
  return {
    method: request.method ?? "GET",
    scheme: "https",
    authority: target.authority,
    path: target.path,
    protocol: "",
    fields,
    contentLength: Number(fieldValue(fields, "content-length") ?? -1),
  };
}

/** The head of a request to switch to WebSocket (RFC 6455 §4.1); any other is refused. */
export function http1TunnelHead(request: IncomingMessage): RequestHead | number {
  const head = http1Head(request);
  if (typeof head === "number") return head;
  const lower = request.rawHeaders.map((text, i) => i % 2 === 0 ? text.toLowerCase() : text);
  const upgrades = listMembers(lower, "upgrade");
  // `h2c` and its like would let requests past every rule here (CVE-2026-88008).
  if (upgrades.length !== 1 || upgrades[0] !== WEBSOCKET) return 501;
  const hasContent = head.contentLength > 0 || fieldValue(lower, "transfer-encoding") !== undefined;
  if (head.method !== "GET" || request.httpVersion !== "1.1" || hasContent) return 400;
  if (fieldValues(head.fields, "sec-websocket-key").length !== 1) return 400;
  return { ...head, method: "CONNECT", protocol: WEBSOCKET };
}

/** Authority and path; the absolute form overrides `Host`, and they have to agree. */
function splitTarget(
  url: string,
  host: string,
): { readonly authority: string; readonly path: string } | undefined {
  if (TARGET.test(url)) return { authority: host, path: url };
  const absolute = ABSOLUTE.exec(url);
  if (absolute === null) return undefined;
  const [, authority = "", rest = ""] = absolute;
  const path = rest.startsWith("/") ? rest : `/${rest}`;
  return authority.toLowerCase() === host.toLowerCase() && TARGET.test(path)
    ? { authority: host, path }
    : undefined;
}

function rawValues(raw: readonly string[], name: string): string[] {
  const values: string[] = [];
  for (let i = 0; i + 1 < raw.length; i += 2) {
    if (raw[i]?.toLowerCase() === name) values.push(raw[i + 1] ?? "");
  }
  return values;
}
