import { createHash, randomBytes } from "node:crypto";
import type { RequestInit } from "../h2/mod.ts";
import { endToEndFields, fieldValue, filterFields, listMembers } from "./fields.ts";

/** The only protocol that connections may be switched to: others would leave the rules behind. */
export const WEBSOCKET = "websocket";

/** RFC 6455 §1.3. */
const ACCEPT_SUFFIX = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/** The opening handshake towards an HTTP/1.1 backend. */
export interface TunnelRequest {
  readonly method: string;
  readonly fields: string[];
  /** What `Sec-WebSocket-Accept` has to answer. */
  readonly key: string;
}

/**
 * The HTTP/1.1 form of a tunnel's request (RFC 6455 §4.1). A client over HTTP/2 sends no key
 * (RFC 8441 §5), so one is made up.
 */
export function tunnelRequest(head: RequestInit): TunnelRequest {
  const given = fieldValue(head.fields, "sec-websocket-key");
  const key = given ?? randomBytes(16).toString("base64");
  const fields = ["Host", head.authority, "Connection", "Upgrade", "Upgrade", WEBSOCKET];
  fields.push(...filterFields(head.fields, (name) => !CONTENT_FIELDS.has(name)));
  if (given === undefined) fields.push("sec-websocket-key", key);
  if (fieldValue(head.fields, "sec-websocket-version") === undefined) {
    fields.push("sec-websocket-version", "13");
  }
  return { method: "GET", fields, key };
}

/** `Sec-WebSocket-Accept` for a key (RFC 6455 §4.2.2). */
export function acceptOf(key: string): string {
  return createHash("sha1").update(key + ACCEPT_SUFFIX).digest("base64");
}

/** A tunnel's request has no content (CVE-2026-58055: an upgrade with a body). */
const CONTENT_FIELDS: ReadonlySet<string> = new Set(["content-length", "te", "trailer"]);

/** End-to-end fields of a backend's 101; `undefined` if it does not accept our handshake. */
export function tunnelResponse(raw: readonly string[], key: string): string[] | undefined {
  const lower = raw.map((text, i) => i % 2 === 0 ? text.toLowerCase() : text);
  if (fieldValue(lower, "sec-websocket-accept") !== acceptOf(key)) return undefined;
  if (!listMembers(lower, "upgrade").includes(WEBSOCKET)) return undefined;
  return endToEndFields(raw);
}
