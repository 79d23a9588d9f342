import { createHash, randomBytes } from "node:crypto";
import type { Fields, RequestInit } from "../http/mod.ts";
import { fieldValue } from "./fields.ts";

/** The only protocol that connections may be switched to: others would leave the rules behind. */
export const WEBSOCKET = "websocket";

/** RFC 6455 §1.3. */
const ACCEPT_SUFFIX = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/** A tunnel's request as an HTTP/1.1 backend gets it. */
export interface TunnelRequest {
  readonly fields: string[];
  /** What `Sec-WebSocket-Accept` has to answer. */
  readonly key: string;
}

/**
 * The opening handshake (RFC 6455 §4.1). A client over HTTP/2 sends no key (RFC 8441 §5), so one is
 * made up.
 */
export function tunnelRequest(head: RequestInit): TunnelRequest {
  const given = fieldValue(head.fields, "sec-websocket-key");
  const key = given ?? randomBytes(16).toString("base64");
  const fields = [...head.fields];
  if (given === undefined) fields.push("sec-websocket-key", key);
  if (fieldValue(head.fields, "sec-websocket-version") === undefined) {
    fields.push("sec-websocket-version", "13");
  }
  return { fields, key };
}

/** `Sec-WebSocket-Accept` for a key (RFC 6455 §4.2.2). */
export function acceptOf(key: string): string {
  return createHash("sha1").update(key + ACCEPT_SUFFIX).digest("base64");
}

/** Whether the fields of a 101 accept our handshake; another's answer is none to it. */
export function acceptsTunnel(fields: Fields, key: string): boolean {
  return fieldValue(fields, "sec-websocket-accept") === acceptOf(key);
}
