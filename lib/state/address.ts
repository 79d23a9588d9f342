import {
  formatCidr,
  formatEndpoint,
  formatIp,
  parseBackendEndpoint,
  parseCidr,
  parseHostname,
  parseHostPattern,
  parseIp,
  parseListenEndpoint,
  type Result,
} from "../addr/mod.ts";
import { type Kind, parsed } from "../schema/mod.ts";

/** `:443`, `192.0.2.1:443` or `[2001:db8::1]:443`. */
export function listenAddress(): Kind<string> {
  return parsed(
    '`":port"`, `"IPv4:port"` or `"[IPv6]:port"`',
    (text) => canonical(parseListenEndpoint(text), formatEndpoint),
    (port) => `:${port}`,
  );
}

/** `host:port`. */
export function backendAddress(): Kind<string> {
  return parsed('`"host:port"`', (text) => canonical(parseBackendEndpoint(text), formatEndpoint));
}

/** The hostname of a route that has none of its own: a default route's. */
export const EVERY_NAME = "*";

/** A hostname, or `*.` and one; `*` is for a default route. */
export function hostPattern(): Kind<string> {
  return parsed(
    "hostname or `*.` and a hostname",
    (text) =>
      text === EVERY_NAME
        ? { ok: true, value: EVERY_NAME }
        : canonical(parseHostPattern(text), ({ wildcard, name }) => wildcard ? `*.${name}` : name),
  );
}

/** A hostname. */
export function hostname(): Kind<string> {
  return parsed("hostname", parseHostname);
}

/** An IP address or a block of addresses. */
export function ipOrCidr(): Kind<string> {
  return parsed("IP address or CIDR block", parseIpOrCidr);
}

/** An address or a block of addresses in canonical form. */
export function parseIpOrCidr(text: string): Result<string> {
  return text.includes("/")
    ? canonical(parseCidr(text), formatCidr)
    : canonical(parseIp(text), formatIp);
}

function canonical<T>(result: Result<T>, format: (value: T) => string): Result<string> {
  return result.ok ? { ok: true, value: format(result.value) } : result;
}
