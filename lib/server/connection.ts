import type { Socket } from "node:net";
import { formatIp, parseBackendEndpoint, parseIp } from "../addr/mod.ts";
import type { FirewallRule } from "../firewall/mod.ts";
import { type L7Session, tlsMaterialId } from "../l7/mod.ts";
import { describeError, type OutcomeName } from "../observe/mod.ts";
import {
  encodeProxyV2,
  parseProxyHeader,
  type ProxyHeader,
  type SocketAddress,
} from "../proxyproto/mod.ts";
import { connectTcp, dial, DialError, Relay } from "../relay/mod.ts";
import type { Route } from "../routes/mod.ts";
import { type ClientHello, ClientHelloReader } from "../sni/mod.ts";
import type { ActiveListener } from "./listener.ts";
import type { PlaneState } from "./plane_state.ts";
import { Preface, type PrefaceFailure } from "./preface.ts";

/** How a connection ended, and what decided it. */
export interface Ending {
  readonly outcome: OutcomeName;
  readonly reason?: string | undefined;
  /** The firewall rule behind a block, as `type value (#id)`. */
  readonly rule?: string;
  readonly ruleType?: FirewallRule["type"];
  /** The id of that rule. */
  readonly ruleId?: number;
}

/** One accepted connection: what is known of it grows along its path. */
export interface Connection {
  readonly id: string;
  readonly socket: Socket;
  readonly listener: ActiveListener;
  /** Milliseconds on the plane's clock. */
  readonly startedAt: number;
  /** The TCP peer. */
  readonly peer: SocketAddress;
  /** The real client: the peer, or whom the PROXY header names. */
  client: SocketAddress;
  /** Where the real client connected to, if a PROXY header says so. */
  destination?: SocketAddress;
  sni?: string;
  route?: Route;
  /** While the stream is relayed: its byte counts, and the handle to cut it. */
  relay?: Relay;
  /** While its HTTP is proxied: the same for mode l7. */
  l7?: L7Session;
  /** Why we cut it, whatever its path then reports. */
  cutBy?: "shutdown" | "closed_by_operator";
}

/**
 * The path of one connection, from top to bottom. Every step goes on or says how it ends; the
 * caller closes the socket, logs and counts. Nothing that did not parse inherits a more lenient
 * path than the one it failed on.
 */
export async function serve(connection: Connection, state: PlaneState): Promise<Ending> {
  const { listener } = connection;
  if (!listener.proxyProtocol) {
    // Before a single octet is read: a blocked client costs an accept and a RST.
    const refusal = checkFirewall(connection, state);
    if (refusal !== undefined) return refusal;
  }
  const preface = new Preface(connection.socket, state.prefaceDeadlines);
  try {
    if (listener.proxyProtocol) {
      const refusal = await readProxyHeader(connection, preface) ??
        checkFirewall(connection, state);
      if (refusal !== undefined) return refusal;
    }
    const reader = new ClientHelloReader();
    const hello = await preface.read((bytes) => reader.read(bytes));
    if (hello.kind !== "ok") return helloRefused(hello);
    state.counters.observe("client_hello", (state.clock.now() - connection.startedAt) / 1000);
    const refusal = matchRoute(connection, hello.value);
    if (refusal !== undefined) return refusal;
    return await dispatch(connection, preface.take(), state);
  } finally {
    preface.close();
  }
}

/** Step 2: the PROXY header is required where it is enabled, and only trusted peers may send it. */
async function readProxyHeader(c: Connection, preface: Preface): Promise<Ending | undefined> {
  if (!c.listener.isTrustedProxy(c.peer.ip)) {
    return { outcome: "proxy_untrusted", reason: "the peer is not one of trusted_proxies" };
  }
  const header = await preface.read((bytes) => parseProxyHeader(bytes));
  switch (header.kind) {
    case "ok":
      preface.consume(header.size);
      adoptProxyHeader(c, header.value);
      return undefined;
    case "invalid":
      return { outcome: "proxy_invalid", reason: header.reason };
    case "timeout":
      return { outcome: "proxy_timeout", reason: "the PROXY header was not complete in time" };
    case "closed":
    case "need":
      return { outcome: "client_gone", reason: "closed before the PROXY header was complete" };
  }
}

/** LOCAL and UNSPEC carry no addresses: the connection is the peer's own (specification §2.2). */
function adoptProxyHeader(c: Connection, header: ProxyHeader): void {
  if (header.source === undefined || header.destination === undefined) return;
  c.client = header.source;
  c.destination = header.destination;
}

/** Step 3: the rules, then the rate limit, both on the real client's address. */
function checkFirewall(c: Connection, state: PlaneState): Ending | undefined {
  const verdict = state.firewall.check(c.client.ip);
  if (verdict.action === "block") {
    const { id, type, value } = verdict.rule;
    return { outcome: "blocked", rule: `${type} ${value} (#${id})`, ruleId: id, ruleType: type };
  }
  if (state.rateLimiter?.admit(c.client.ip, state.clock.wallNow()) === false) {
    return { outcome: "rate_limited", rule: "rate_limit" };
  }
  return undefined;
}

function helloRefused(
  hello: PrefaceFailure | { kind: "invalid"; reason: string } | { kind: "need" },
): Ending {
  switch (hello.kind) {
    case "invalid":
      return { outcome: "hello_invalid", reason: hello.reason };
    case "timeout":
      return { outcome: "hello_timeout", reason: "the ClientHello was not complete in time" };
    case "closed":
    case "need":
      return { outcome: "client_gone", reason: "closed before the ClientHello was complete" };
  }
}

/** Step 5: exact names win over wildcards, and no route is a refusal, never a default. */
function matchRoute(c: Connection, hello: ClientHello): Ending | undefined {
  if (hello.serverName === undefined) {
    return { outcome: "no_server_name", reason: "the ClientHello names no server" };
  }
  c.sni = hello.serverName;
  const route = c.listener.routes.match(hello.serverName);
  if (route === undefined) return { outcome: "no_route", reason: "no route for this name" };
  c.route = route;
  return undefined;
}

/** Step 6: the peeked octets are handed over exactly once. */
function dispatch(c: Connection, peeked: Uint8Array, state: PlaneState): Promise<Ending> | Ending {
  const route = c.route as Route;
  if (route.mode === "l4") return relayL4(c, route, peeked, state);
  if (route.mode === "l7") return serveL7(c, route, peeked, state);
  return { outcome: "mode_unavailable", reason: `mode not available: ${route.mode}` };
}

/** Mode l4: the client's octets go to the backend as they are, after our own PROXY header. */
async function relayL4(
  c: Connection,
  route: Route,
  peeked: Uint8Array,
  state: PlaneState,
): Promise<Ending> {
  const target = parseBackendEndpoint(route.backend);
  if (!target.ok) return { outcome: "internal_error", reason: `backend: ${target.reason}` };
  let backend: Deno.TcpConn;
  const dialledAt = state.clock.now();
  try {
    const deadline = state.connectDeadlines.signal();
    backend = await dial(target.value, { deadline, connect: connectTcp });
  } catch (error) {
    const timedOut = error instanceof DialError && error.code === "timeout";
    const outcome = timedOut ? "backend_timeout" : "backend_unreachable";
    return { outcome, reason: describeError(error) };
  }
  state.counters.observe("backend_connect", (state.clock.now() - dialledAt) / 1000);
  const relay = new Relay(c.socket, backend, state.relayOptions);
  c.relay = relay;
  const outcome = await relay.run(route.sendProxyProtocol ? withProxyHeader(c, peeked) : peeked);
  return { outcome, reason: relay.reason };
}

/** Mode l7: TLS ends here, and each request finds its own way. */
async function serveL7(
  c: Connection,
  route: Route,
  peeked: Uint8Array,
  state: PlaneState,
): Promise<Ending> {
  const material = state.tls.get(tlsMaterialId(route));
  if (material === undefined) {
    return { outcome: "tls_failed", reason: "the route has no usable certificate" };
  }
  const session = state.l7.serve(
    {
      id: c.id,
      client: c.client,
      clientText: formatSocketAddress(c.client),
      clientIp: formatIp(c.client.ip),
      // Only a PROXY header needs it.
      get destination() {
        return destinationOf(c);
      },
      trusted: c.listener.namesTrustedProxies,
      route,
      matchRoute: (host) => c.listener.routes.match(host),
    },
    c.socket,
    { peeked, material },
  );
  c.l7 = session;
  return await session.ended;
}

/** Header and hello in one write: some receivers expect all of the header in their first read. */
function withProxyHeader(c: Connection, peeked: Uint8Array): Uint8Array {
  const header = encodeProxyV2({ source: c.client, destination: destinationOf(c) });
  const whole = new Uint8Array(header.length + peeked.length);
  whole.set(header);
  whole.set(peeked, header.length);
  return whole;
}

/** What the PROXY header named, or our end of the socket, which only now costs a system call. */
function destinationOf(c: Connection): SocketAddress {
  return c.destination ?? socketAddress(c.socket.localAddress, c.socket.localPort) ?? c.peer;
}

/** An address as the runtime writes it. Zone identifiers are cut off: they name our interfaces. */
export function socketAddress(
  text: string | undefined,
  port: number | undefined,
): SocketAddress | undefined {
  const ip = parseIp(text?.split("%", 1)[0] ?? "");
  return ip.ok && port !== undefined ? { ip: ip.value, port } : undefined;
}

/** `ip:port`, with brackets around IPv6. */
export function formatSocketAddress({ ip, port }: SocketAddress): string {
  return ip.family === 6 ? `[${formatIp(ip)}]:${port}` : `${formatIp(ip)}:${port}`;
}
