import { formatIp, parseIp } from "./ip.ts";
import { parseHostname, withCharacter } from "./hostname.ts";
import { failure, type Result, success } from "./result.ts";

/** A host and a TCP port. */
export interface Endpoint {
  /** Canonical IP address without brackets, or hostname; `""` means every local address. */
  readonly host: string;
  /** 1–65535; for a listener also 0, "any free port". */
  readonly port: number;
}

/**
 * Parses where to listen: `":443"` (every IPv4 and IPv6 address), `"192.0.2.1:443"` or
 * `"[::1]:443"`. Names are refused: which of a name's addresses to bind would be a guess.
 */
export function parseListenEndpoint(text: string): Result<Endpoint> {
  const parts = split(text, 0);
  if (!parts.ok || parts.value.host === "") return parts;
  const ip = parseIp(parts.value.host);
  if (!ip.ok) return failure("the host is not an IP address or empty");
  return success({ host: formatIp(ip.value), port: parts.value.port });
}

/** Parses where to connect: `"192.0.2.1:443"`, `"[::1]:443"` or `"name:443"`. */
export function parseBackendEndpoint(text: string): Result<Endpoint> {
  const url = /^[A-Za-z][A-Za-z0-9+.-]*:\/\/([^/?#]*)/.exec(text);
  if (url !== null) return failure(urlReason(url[1] as string, text));
  const parts = split(text, 1);
  if (!parts.ok) return parts;
  const { host, port } = parts.value;
  if (host === "") return failure("the host is missing");
  const ip = parseIp(host);
  if (ip.ok) return success({ host: formatIp(ip.value), port });
  const name = parseHostname(host);
  if (name.ok) return success({ host: name.value, port });
  return failure(withCharacter(host, name.reason));
}

/** What a URL says beyond host and port is said by other settings. */
function urlReason(authority: string, url: string): string {
  const isTls = /^(https|wss):/i.test(url);
  const port = /:[0-9]+$/.test(authority) ? "" : isTls ? ":443" : ":80";
  const meant = parseBackendEndpoint(`${authority}${port}`);
  const hint = meant.ok ? `; did you mean "${formatEndpoint(meant.value)}"` : "";
  const tls = isTls ? " and backend_tls = true" : "";
  return `it is a URL, not host:port${hint}${hint === "" ? "" : `${tls}?`}`;
}

/** `host:port`, with brackets around IPv6. */
export function formatEndpoint({ host, port }: Endpoint): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/**
 * Whether some connection could belong to listeners at both. With SO_REUSEPORT the kernel would not
 * refuse the second one: it would share the connections out. Port 0 is any free port, so never one
 * that is taken.
 */
export function endpointsOverlap(a: Endpoint, b: Endpoint): boolean {
  if (a.port !== b.port || a.port === 0) return false;
  return a.host === b.host || covers(a.host, b.host) || covers(b.host, a.host);
}

function covers(wide: string, host: string): boolean {
  // An IPv6 socket bound to [::] takes IPv4 connections too, unless told otherwise.
  if (wide === "" || wide === "::") return true;
  return wide === "0.0.0.0" && !host.includes(":");
}

function split(text: string, minPort: number): Result<Endpoint> {
  const colon = text.lastIndexOf(":");
  if (colon < 0) return failure("the port is missing");
  const digits = text.slice(colon + 1);
  if (/^[1-9][0-9]{5,}$/.test(digits)) return failure(`the port is not in ${minPort}–65535`);
  if (!/^(0|[1-9][0-9]{0,4})$/.test(digits)) return failure("the port is not a number");
  const port = Number(digits);
  if (port < minPort || port > 65535) return failure(`the port is not in ${minPort}–65535`);
  const host = text.slice(0, colon);
  const bracketed = host.startsWith("[") && host.endsWith("]");
  if (!bracketed && host.includes(":")) return failure("an IPv6 address needs brackets");
  if (bracketed && !host.includes(":")) return failure("only an IPv6 address takes brackets");
  return success({ host: bracketed ? host.slice(1, -1) : host, port });
}
