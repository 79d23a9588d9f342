import {
  formatEndpoint,
  formatIp,
  parseBackendEndpoint,
  parseIp,
  parseListenEndpoint,
  type Result,
} from "../addr/mod.ts";

/** `sun_path` of Linux's unix(7) is 108 octets with the final NUL. */
export const MAX_SOCKET_PATH = 107;

/** Where to listen, in canonical form. */
export function listenEndpoint(text: string): Result<string> {
  const endpoint = parseListenEndpoint(text);
  return endpoint.ok ? { ok: true, value: formatEndpoint(endpoint.value) } : endpoint;
}

/** A name server: a literal address, at port 53 unless it says otherwise. */
export function serverEndpoint(text: string): Result<string> {
  const ip = parseIp(text);
  if (ip.ok) return { ok: true, value: formatEndpoint({ host: formatIp(ip.value), port: 53 }) };
  const endpoint = parseBackendEndpoint(text);
  if (!endpoint.ok) return endpoint;
  if (!parseIp(endpoint.value.host).ok) return { ok: false, reason: "not an IP address" };
  return { ok: true, value: formatEndpoint(endpoint.value) };
}

/** An https URL without a user and a fragment. */
export function httpsUrl(text: string): Result<string> {
  const url = URL.parse(text);
  if (url?.protocol !== "https:" || url.username !== "" || url.hash !== "" || text.length > 1024) {
    return { ok: false, reason: "it is no https URL" };
  }
  return { ok: true, value: url.href };
}
