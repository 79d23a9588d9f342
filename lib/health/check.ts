import { formatEndpoint, parseBackendEndpoint, parseIp } from "../addr/mod.ts";
import { type BackendTls, connectBackend, probeHttp } from "../l7/mod.ts";
import { encodeProxyV2Local } from "../proxyproto/mod.ts";
import { type Connect, DialError, type Lookup } from "../relay/mod.ts";
import type { Route } from "../routes/mod.ts";
import { type Health, parseStatusRange } from "../state/mod.ts";
import type { TcpStream } from "../tcp/mod.ts";

/** A backend that is to be checked, as the route's connections reach it. */
export interface CheckTarget {
  readonly route: Pick<
    Route,
    | "hostname"
    | "mode"
    | "backendTls"
    | "backendTlsVerify"
    | "backendServerName"
    | "backendProtocol"
    | "sendProxyProtocol"
  >;
  readonly addr: string;
  readonly health: Health;
  /** The authorities of the route's `backend_ca`. */
  readonly caPem?: string | undefined;
}

/** What a check works with. */
export interface CheckOptions {
  readonly lookup: Lookup;
  readonly connect: Connect<TcpStream>;
  /** Gives the check up. */
  readonly signal: AbortSignal;
}

const EXPECTS = { auto: "auto", h2: "h2", http1: "http/1.1" } as const;
const ALPN = ["h2", "http/1.1"] as const;

/**
 * Checks a backend once, by a connection of its own: TCP, the PROXY header that says so (LOCAL),
 * TLS where the route or the check wants it, a GET.
 *
 * @throws {Error} saying why it is not well.
 */
export async function checkBackend(target: CheckTarget, options: CheckOptions): Promise<void> {
  const { health, addr, route } = target;
  const { timeoutMs } = health;
  const endpoint = parseBackendEndpoint(addr);
  if (!endpoint.ok) throw new TypeError(endpoint.reason);
  const deadline = new AbortController();
  const late = new DialError("timeout", `no answer within ${timeoutMs} ms`);
  const timer = setTimeout(() => deadline.abort(late), timeoutMs);
  const signal = AbortSignal.any([deadline.signal, options.signal]);
  const { lookup, connect } = options;
  const proxyHeader = route.sendProxyProtocol ? encodeProxyV2Local() : undefined;
  const address = { endpoint: endpoint.value, tls: tlsOf(target), proxyHeader };
  try {
    if (health.kind === "http") {
      const status = parseStatusRange(health.status) ?? [200, 399];
      const { path } = health;
      const expects = EXPECTS[route.backendProtocol ?? "auto"];
      const authority = authorityOf(target);
      const probe = { ...address, expects, authority, path, status };
      return await probeHttp(probe, { signal, lookup, connect, timeoutMs });
    }
    const alpn = route.mode === "l7" ? ALPN : [];
    const opened = connectBackend(address, { signal, lookup, connect, alpn });
    const { stream } = await Promise.race([opened, aborted(signal)])
      .catch((error) => {
        // One that opens all the same is nobody's.
        opened.then(({ stream }) => stream.close(), () => {});
        throw error;
      });
    stream.close();
  } catch (error) {
    throw signal.aborted ? signal.reason : error;
  } finally {
    clearTimeout(timer);
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>();
  if (signal.aborted) reject(signal.reason);
  signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  return promise;
}

/** How TLS is spoken, if it is: as the route's own connections speak it, or, of l4, its clients. */
function tlsOf({ route, health, caPem }: CheckTarget): BackendTls | undefined {
  if (route.mode === "l7" && route.backendTls) {
    const { backendTlsVerify: verify = false, backendServerName: serverName } = route;
    return { verify, caPem, serverName };
  }
  if (health.kind === "tcp" || (health.kind === "http" && route.mode !== "l4")) return undefined;
  return { verify: false, serverName: exactName(route) };
}

function authorityOf({ route, addr }: CheckTarget): string {
  if (route.mode === "l7" && route.backendServerName) return route.backendServerName;
  const name = exactName(route);
  if (name !== undefined) return name;
  const endpoint = parseBackendEndpoint(addr);
  if (!endpoint.ok) return addr;
  const { host } = endpoint.value;
  return parseIp(host).ok ? formatEndpoint(endpoint.value) : host;
}

/** The name that clients ask for, unless it stands for any number of them. */
function exactName({ hostname }: CheckTarget["route"]): string | undefined {
  return hostname.startsWith("*.") ? undefined : hostname;
}
