import { FieldError, isAuthority, isMethod, isPath, parseContentLength } from "../http/mod.ts";
import type { RequestInit } from "../http/mod.ts";
import type { HeadToWrite } from "./head_writer.ts";
import type { OutgoingFraming } from "./outgoing.ts";

/** Methods whose content means something: its absence is worth saying (RFC 9110 §8.6). */
const EXPECTS_CONTENT: ReadonlySet<string> = new Set(["POST", "PUT", "PATCH"]);

/** How a request is written. */
export interface RequestPlan {
  readonly head: HeadToWrite;
  readonly framing: OutgoingFraming;
  /** Octets of content where a length declares them. */
  readonly octets: number;
}

/**
 * Decides how a request is framed. One with `protocol` asks to switch to it (RFC 9110 §7.8): on the
 * wire it is a GET without content, and its content begins after the 101.
 *
 * @throws {FieldError} if the head cannot be sent.
 */
export function planRequest(init: RequestInit, end: boolean): RequestPlan {
  const { method, path, authority, protocol = "", fields } = init;
  if (!isMethod(method) || method === "CONNECT" && protocol === "") {
    throw new FieldError("cannot send a request: invalid method");
  }
  if (!isPath(path)) throw new FieldError("cannot send a request: invalid path");
  if (authority !== "" && !isAuthority(authority)) {
    throw new FieldError("cannot send a request: invalid authority");
  }
  if (protocol !== "") {
    const first = `GET ${path} HTTP/1.1\r\nhost: ${authority}\r\n` +
      `connection: Upgrade\r\nupgrade: ${protocol}\r\n`;
    return { head: { first, fields, skip: isContentField, last: "" }, framing: "none", octets: 0 };
  }
  const first = `${method} ${path} HTTP/1.1\r\nhost: ${authority}\r\n`;
  const declared = declaredLength(init);
  if (end && declared > 0) throw new FieldError("cannot send a request: it lacks its content");
  if (declared >= 0) {
    const head = { first, fields, skip: isNotForLength, last: "" };
    return { head, framing: "length", octets: declared };
  }
  if (end) {
    const last = EXPECTS_CONTENT.has(method) ? "content-length: 0\r\n" : "";
    return { head: { first, fields, skip: isNotForLength, last }, framing: "none", octets: 0 };
  }
  const last = "transfer-encoding: chunked\r\n";
  return { head: { first, fields, skip: isNotForward, last }, framing: "chunked", octets: 0 };
}

/** `te` would need a place in `Connection`; nobody over HTTP/1.1 asks for trailers. */
function isNotForward(name: string): boolean {
  return name === "te" || name === "host";
}

function isNotForLength(name: string): boolean {
  return name === "trailer" || isNotForward(name);
}

/** A tunnel's request has no content (CVE-2026-58055). */
function isContentField(name: string): boolean {
  return name === "content-length" || isNotForLength(name);
}

function declaredLength({ fields }: RequestInit): number {
  let declared = -1;
  for (let i = 0; i < fields.length; i += 2) {
    if (fields[i] !== "content-length") continue;
    const length = parseContentLength(fields[i + 1] as string);
    if (length < 0 || declared >= 0) {
      throw new FieldError("cannot send a request: invalid content-length");
    }
    declared = length;
  }
  return declared;
}
