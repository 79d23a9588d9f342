import { judge } from "../firewall/mod.ts";
import { parseProxyHeader, type ProxyHeader } from "../proxyproto/mod.ts";
import { namelessRoute, type Route } from "../routes/mod.ts";
import { type ClientHello, ClientHelloReader } from "../sni/mod.ts";
import { serveChallenge } from "./challenge.ts";
import type { Connection, Ending } from "./connection_state.ts";
import { MODES } from "./modes.ts";
import { Peek, type PeekFailure } from "./peek.ts";
import type { PlaneState } from "./plane_state.ts";
import { serveRedirect } from "./redirect.ts";
import { passRouteLimits } from "./route_limits.ts";

/**
 * The path of one connection, from top to bottom. Every step goes on or says how it ends; the
 * caller closes the socket, logs and counts. Nothing that did not parse inherits a more lenient
 * path than the one it failed on.
 */
export function serve(connection: Connection, state: PlaneState): Ending | Promise<Ending> {
  // Before a single octet is read and in the same turn: a blocked client costs an accept and a RST.
  const { listener } = connection;
  const refusal = listener.proxyProtocol ? undefined : passFirewall(connection, state);
  if (refusal !== undefined) return refusal;
  return listener.isRedirect
    ? readAndRedirect(connection, state)
    : readAndDispatch(connection, state);
}

/** Steps 2 to 6 of a listener of plain HTTP. */
async function readAndRedirect(connection: Connection, state: PlaneState): Promise<Ending> {
  if (!connection.listener.proxyProtocol) return serveRedirect(connection, NOTHING, state);
  const peek = new Peek(connection.stream, state.peekDeadlines);
  try {
    const refusal = await readProxyHeader(connection, peek) ?? passFirewall(connection, state);
    if (refusal !== undefined) return refusal;
    return await serveRedirect(connection, peek.take(), state);
  } finally {
    peek.close();
  }
}

const NOTHING = new Uint8Array(0);

/**
 * Steps 2 to 6. Nothing of them is kept while the connection lasts: it may be idle for long, and one
 * of ten thousand.
 */
function readAndDispatch(connection: Connection, state: PlaneState): Promise<Ending> {
  return peekAtRoute(connection, state).then((peeked) =>
    peeked instanceof Uint8Array ? dispatch(connection, peeked, state) : peeked
  );
}

/**
 * Steps 2 to 5; with PROXY protocol only the header says on whom the firewall decides. Gives the
 * octets that are for the backend.
 */
async function peekAtRoute(
  connection: Connection,
  state: PlaneState,
): Promise<Uint8Array | Ending> {
  const peek = new Peek(connection.stream, state.peekDeadlines);
  try {
    if (connection.listener.proxyProtocol) {
      const refusal = await readProxyHeader(connection, peek) ??
        passFirewall(connection, state);
      if (refusal !== undefined) return refusal;
    }
    const reader = new ClientHelloReader();
    const hello = await peek.read((bytes) => reader.read(bytes));
    if (hello.kind !== "ok") return connection.spared ?? helloRefused(hello);
    const challenge = state.challenges.answerTo(hello.value);
    if (challenge !== undefined) {
      connection.challenge = challenge;
      connection.sni = challenge.name;
      return peek.take();
    }
    if (connection.spared !== undefined) return connection.spared;
    state.counters.observe("client_hello", (state.clock.now() - connection.startedAt) / 1000);
    return matchRoute(connection, hello.value, state) ?? peek.take();
  } finally {
    peek.close();
  }
}

/** Step 2: the PROXY header is required where it is enabled, and only trusted peers may send it. */
async function readProxyHeader(c: Connection, peek: Peek): Promise<Ending | undefined> {
  if (!c.listener.isTrustedProxy(c.peer.ip)) {
    return { outcome: "proxy_untrusted", reason: "the peer is not one of trusted_proxies" };
  }
  const header = await peek.read((bytes) => parseProxyHeader(bytes));
  switch (header.kind) {
    case "ok":
      // What came by UDP was never on this connection: the sender is confused, or lies.
      if (header.value.isDatagram) {
        return { outcome: "proxy_invalid", reason: "a v2 header names a datagram protocol" };
      }
      peek.consume(header.size);
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

/** Step 3; who is refused is read on while a name is being proved, and refused after the hello. */
function passFirewall(c: Connection, state: PlaneState): Ending | undefined {
  const refusal = checkFirewall(c, state);
  if (refusal === undefined || !state.challenges.spare(c.listener)) return refusal;
  c.spared = refusal;
  return undefined;
}

/** The rules, then the limits of new and of open connections, all on the real client. */
function checkFirewall(c: Connection, state: PlaneState): Ending | undefined {
  const { clock, worker } = state;
  const { refusal, permit } = judge(c.client.ip, state.sources, { nowMs: clock.wallNow(), worker });
  if (permit !== undefined) c.sourcePermit = permit;
  switch (refusal?.outcome) {
    case "blocked": {
      const { id, type, value } = refusal.rule;
      return { outcome: "blocked", rule: `${type} ${value} (#${id})`, ruleId: id, ruleType: type };
    }
    case "rate_limited":
      return { outcome: "rate_limited", rule: "rate_limit" };
    case "too_many_from_source":
      return { outcome: "too_many_from_source", rule: "max_connections_per_source" };
    case undefined:
      return undefined;
  }
}

function helloRefused(
  hello: PeekFailure | { kind: "invalid"; reason: string } | { kind: "need" },
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

/**
 * Step 5: exact names win over wildcards, no route is a refusal unless the operator has written a
 * default one, and so is one that names others.
 */
function matchRoute(c: Connection, hello: ClientHello, state: PlaneState): Ending | undefined {
  const { routes } = c.listener;
  if (hello.serverName !== undefined) c.sni = hello.serverName;
  const route = hello.serverName === undefined
    ? namelessRoute(routes)
    : routes.match(hello.serverName);
  if (route === undefined) {
    return hello.serverName === undefined
      ? { outcome: "no_server_name", reason: "the ClientHello names no server" }
      : { outcome: "no_route", reason: "no route for this name" };
  }
  c.route = route;
  if (state.sources.allowList(route)?.holds(c.client.ip) === false) {
    return { outcome: "not_allowed", reason: "the route does not allow this client" };
  }
  return passRouteLimits(c, route, state);
}

/** Step 6: the peeked octets are handed over exactly once. */
function dispatch(c: Connection, peeked: Uint8Array, state: PlaneState): Promise<Ending> {
  const { challenge } = c;
  if (challenge !== undefined) return serveChallenge(c, { peeked, challenge, state });
  const route = c.route as Route;
  return MODES[route.mode](c, { route, peeked, state });
}
