import { formatIp, parseBackendEndpoint } from "../addr/mod.ts";
import { tlsMaterialId } from "../l7/mod.ts";
import { encodeProxyV2, parseProxyHeader, type ProxyHeader } from "../proxyproto/mod.ts";
import type { Route } from "../routes/mod.ts";
import { type ClientHello, ClientHelloReader } from "../sni/mod.ts";
import {
  type Connection,
  destinationOf,
  type Ending,
  formatSocketAddress,
  LEFT_BEFORE_TLS,
} from "./connection_state.ts";
import { forward } from "./forward.ts";
import { serveMtls } from "./mtls.ts";
import type { PlaneState } from "./plane_state.ts";
import { Preface, type PrefaceFailure } from "./preface.ts";

/**
 * The path of one connection, from top to bottom. Every step goes on or says how it ends; the
 * caller closes the socket, logs and counts. Nothing that did not parse inherits a more lenient
 * path than the one it failed on.
 */
export function serve(connection: Connection, state: PlaneState): Ending | Promise<Ending> {
  // Before a single octet is read and in the same turn: a blocked client costs an accept and a RST.
  const refusal = connection.listener.proxyProtocol ? undefined : checkFirewall(connection, state);
  return refusal ?? readAndDispatch(connection, state);
}

/**
 * Steps 2 to 6. Nothing of them is kept while the connection lasts: it may be idle for long, and one
 * of ten thousand.
 */
async function readAndDispatch(connection: Connection, state: PlaneState): Promise<Ending> {
  const peeked = await readPreface(connection, state);
  return peeked instanceof Uint8Array ? dispatch(connection, peeked, state) : peeked;
}

/**
 * Steps 2 to 5; with PROXY protocol only the header says on whom the firewall decides. Gives the
 * octets that are for the backend.
 */
async function readPreface(
  connection: Connection,
  state: PlaneState,
): Promise<Uint8Array | Ending> {
  const preface = new Preface(connection.stream, state.prefaceDeadlines);
  try {
    if (connection.listener.proxyProtocol) {
      const refusal = await readProxyHeader(connection, preface) ??
        checkFirewall(connection, state);
      if (refusal !== undefined) return refusal;
    }
    const reader = new ClientHelloReader();
    const hello = await preface.read((bytes) => reader.read(bytes));
    if (hello.kind !== "ok") return helloRefused(hello);
    state.counters.observe("client_hello", (state.clock.now() - connection.startedAt) / 1000);
    return matchRoute(connection, hello.value) ?? preface.take();
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
      // What came by UDP was never on this connection: the sender is confused, or lies.
      if (header.value.isDatagram) {
        return { outcome: "proxy_invalid", reason: "a v2 header names a datagram protocol" };
      }
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

/** Step 3: the rules, then the limits of new and of open connections, all on the real client. */
function checkFirewall(c: Connection, state: PlaneState): Ending | undefined {
  const verdict = state.firewall.check(c.client.ip);
  if (verdict.action === "block") {
    const { id, type, value } = verdict.rule;
    return { outcome: "blocked", rule: `${type} ${value} (#${id})`, ruleId: id, ruleType: type };
  }
  if (state.rateLimiter?.admit(c.client.ip, state.clock.wallNow()) === false) {
    return { outcome: "rate_limited", rule: "rate_limit" };
  }
  const { connectionLimiter, worker } = state;
  if (connectionLimiter !== undefined) {
    const permit = connectionLimiter.acquire(c.client.ip, worker);
    if (permit === undefined) {
      return { outcome: "too_many_from_source", rule: "max_connections_per_source" };
    }
    c.sourcePermit = permit;
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
function dispatch(c: Connection, peeked: Uint8Array, state: PlaneState): Promise<Ending> {
  const route = c.route as Route;
  switch (route.mode) {
    case "l4":
      return relayL4(c, route, peeked, state);
    case "l7":
      return serveL7(c, route, peeked, state);
    case "mtls":
      return serveMtls(c, route, peeked, state);
  }
}

/** Mode l4: the client's octets go to the backend as they are, after our own PROXY header. */
function relayL4(
  c: Connection,
  route: Route,
  peeked: Uint8Array,
  state: PlaneState,
): Promise<Ending> {
  const target = parseBackendEndpoint(route.backend);
  if (!target.ok) {
    return Promise.resolve({ outcome: "internal_error", reason: `backend: ${target.reason}` });
  }
  const first = route.sendProxyProtocol ? withProxyHeader(c, peeked) : peeked;
  return forward(c, target.value, { client: c.stream, first, state });
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
  if (c.stream.isBroken()) return LEFT_BEFORE_TLS;
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
      route,
      matchRoute: (host) => c.listener.routes.match(host),
    },
    c.stream.toSocket(),
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
