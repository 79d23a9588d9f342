import {
  type Endpoint,
  formatIp,
  parseBackendEndpoint,
  parseIp,
  type Result,
} from "../addr/mod.ts";

/** RFC 1035 §2.3.4: one label. */
const MAX_CONNECT_ID = 63;

/** Letters, digits, hyphens and underscores; no hyphen at either end (RFC 1123 §2.1). */
const CONNECT_ID = /^[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?$/;

/**
 * The host that a client names by SNI: the one label below `domain`. Both names are canonical
 * (lower case, no trailing dot), as `parseClientHello` and `parseHostname` give them, so a
 * `connect_id` in the database with upper case letters cannot be reached.
 *
 * @example
 * ```ts
 * import { parseConnectId } from "./host.ts";
 * import assert from "node:assert/strict";
 *
 * assert.deepEqual(parseConnectId("host-123.connect.example", "connect.example"), {
 *   ok: true,
 *   value: "host-123",
 * });
 * assert.equal(parseConnectId("a.b.connect.example", "connect.example").ok, false);
 * ```
 */
export function parseConnectId(serverName: string, domain: string): Result<string> {
  if (domain === "" || !serverName.endsWith(`.${domain}`)) {
    return failure("the server name is not below the connector's domain");
  }
  return checkConnectId(serverName.slice(0, -domain.length - 1));
}

/** Checks a `connect_id`: one lower-case DNS label. */
export function checkConnectId(text: string): Result<string> {
  if (text === "") return failure("the host label is empty");
  if (text.includes(".")) return failure("the host is more than one label below the domain");
  if (text.length > MAX_CONNECT_ID) return failure(`the host label is over ${MAX_CONNECT_ID}`);
  return CONNECT_ID.test(text)
    ? { ok: true, value: text }
    : failure("a character is not allowed in a host label");
}

/**
 * What a row says in the place of an address whose host is where the route leads: to its `backend`,
 * or to one of its `backends`. A word, so that nothing that was forgotten means it.
 */
export const ROUTE_BACKENDS = "route";

/**
 * Where a host's row points: an IP address, alone or with a port (`"10.0.0.5"`, `"10.0.0.5:22"`,
 * `"fd00::5"`, `"[fd00::5]:22"`). A name is refused: it would let whoever answers DNS choose where
 * an authorised user lands.
 */
export function parseHostAddress(text: string, defaultPort: number): Result<Endpoint> {
  const alone = parseIp(text);
  if (alone.ok) return { ok: true, value: { host: formatIp(alone.value), port: defaultPort } };
  if (!text.includes(":")) return failure("it is not an IP address");
  const endpoint = parseBackendEndpoint(text);
  if (endpoint.ok && !parseIp(endpoint.value.host).ok) {
    return failure("the host is a name, not an IP address");
  }
  return endpoint;
}

function failure(reason: string): Result<never> {
  return { ok: false, reason };
}
