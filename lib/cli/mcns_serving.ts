import { blockOf, formatEndpoint, parseBackendEndpoint, parseListenEndpoint } from "../addr/mod.ts";
import { nameFromText, sipKey } from "../dns/mod.ts";
import { type McnsConfig, parseCookieSecret } from "../dns_config/mod.ts";
import type { ForwardSettings, UpstreamSettings } from "../dns_forward/mod.ts";
import {
  type Changeable,
  createRateBuffer,
  readServices,
  type ServedAddress,
  type ServingSettings,
} from "../dns_server/mod.ts";

/** An address of this machine. */
export type Interface = Pick<Deno.NetworkInterfaceInfo, "address" | "family">;

/** How questions are answered, as a configuration says it. */
export function servingSettings(
  { dns }: McnsConfig,
  readFile: (path: string) => string = Deno.readTextFileSync,
): ServingSettings {
  const { rrl, cookies, limits } = dns;
  return {
    udpPayload: limits.udpPayload,
    rate: { ...rrl, buffer: createRateBuffer(rrl.responsesPerSecond) },
    limits,
    ...cookies.enabled && { cookieSecret: sipKey(secretOf(cookies.secretFile, readFile)) },
    ...changeableSettings({ dns }, readFile),
  };
}

/** Of {@link servingSettings}, those that change while the server runs. */
export function changeableSettings(
  { dns }: Pick<McnsConfig, "dns">,
  readFile: (path: string) => string = Deno.readTextFileSync,
): Changeable {
  const forward = forwardSettings(dns);
  const services = readServices(dns, readFile);
  return { ...forward && { forward }, ...services && { services } };
}

function secretOf(path: string | undefined, readFile: (path: string) => string): Uint8Array {
  const given = path === undefined ? undefined : parseCookieSecret(readFile(path));
  return given ?? crypto.getRandomValues(new Uint8Array(16));
}

/** Whom to ask what is not ours; nobody: undefined. */
function forwardSettings(dns: McnsConfig["dns"]): ForwardSettings | undefined {
  if (dns.upstreams.length === 0 && dns.forward.length === 0) return undefined;
  const upstreamOf = (text: string): UpstreamSettings => {
    const endpoint = parseBackendEndpoint(text);
    if (!endpoint.ok) throw new TypeError(`${text}: ${endpoint.reason}`); // It was checked.
    const { host: hostname, port } = endpoint.value;
    return { hostname, port, isTrusted: dns.trustedUpstreams.includes(text) };
  };
  return {
    allowRecursion: dns.allowRecursion.map((text) => blockOf(text, "allow_recursion")),
    upstreams: dns.upstreams.map(upstreamOf),
    zones: dns.forward.flatMap(({ zone, upstreams }) => {
      const name = nameFromText(zone);
      return name.ok ? [{ zone: name.value, upstreams: upstreams.map(upstreamOf) }] : [];
    }),
    limits: {
      cacheOctets: dns.cache.size,
      staleSeconds: Math.floor(dns.cache.serveStaleMs / 1000),
    },
  };
}

/**
 * The addresses to serve, each named. A socket of all addresses would answer from another one than was
 * asked, so one is opened for each address that the machine has. Those of a link alone are left out:
 * they mean nothing without the link.
 */
export function servedAddresses(
  { dns }: McnsConfig,
  interfaces: () => readonly Interface[] = Deno.networkInterfaces,
): ServedAddress[] {
  const found = new Map<string, ServedAddress>();
  const tls = dns.dot === undefined ? [] : expand(dns.dot.listenAddr, interfaces);
  for (const text of [dns.listenAddr, ...dns.listenAlsoAt]) {
    for (const { host, port } of expand(text, interfaces)) {
      const own = tls.find((other) => other.host === host);
      const address = { host, port, ...own && { tlsPort: own.port } };
      found.set(port === 0 ? `${host} ${found.size}` : formatEndpoint({ host, port }), address);
    }
  }
  return [...found.values()];
}

function expand(
  text: string,
  interfaces: () => readonly Interface[],
): { readonly host: string; readonly port: number }[] {
  const endpoint = parseListenEndpoint(text);
  if (!endpoint.ok) throw new TypeError(`${text}: ${endpoint.reason}`); // It was checked.
  const { host, port } = endpoint.value;
  const family = WILDCARDS.get(host);
  if (family === undefined) return [{ host, port }];
  return interfaces()
    .filter((own) => family === "any" || own.family === family)
    .map(({ address }) => address)
    .filter((address) => !/^fe80:/i.test(address))
    .map((host) => ({ host, port }));
}

const WILDCARDS = new Map<string, "any" | "IPv4" | "IPv6">([
  ["", "any"],
  ["0.0.0.0", "IPv4"],
  ["::", "IPv6"],
]);
