import type { TLSSocket } from "node:tls";
import { formatEndpoint, sourceKey } from "../addr/mod.ts";
import {
  type ClientIdentity,
  type Decision,
  describeSessionEnd,
  identifyPeer,
  parseConnectId,
  parseHostAddress,
  ROUTE_BACKENDS,
  type SessionEnd,
} from "../connector/mod.ts";
import { tlsMaterialId } from "../l7/mod.ts";
import { authorityTlv, encodeProxyV2, sslTlv } from "../proxyproto/mod.ts";
import type { Route } from "../routes/mod.ts";
import { NodeStream } from "../tcp/mod.ts";
import { forwardBalanced } from "./balanced.ts";
import {
  type Connection,
  cutOff,
  destinationOf,
  type Ending,
  LEFT_BEFORE_TLS,
} from "./connection_state.ts";
import type { Connector } from "./connector.ts";
import { createDestinationGuard } from "./destination_guard.ts";
import { forward, type Stream } from "./forward.ts";
import { CERTIFICATE_PENDING, withoutCertificate } from "./l7.ts";
import type { Arrival } from "./mode.ts";
import type { PlaneState } from "./plane_state.ts";

/**
 * Mode mtls: who is it, where to, may they; then relay. TLS ends here. Nothing is read from the
 * stream before the last answer, and the server name alone names the host.
 */
export async function serveMtls(c: Connection, { route, peeked, state }: Arrival): Promise<Ending> {
  const { connector, admission } = state;
  if (connector === undefined || admission === undefined) {
    return { outcome: "mode_unavailable", reason: "there is no [connector]" };
  }
  const host = parseConnectId(c.sni ?? "", connector.snapshot.domain);
  if (!host.ok) return { outcome: "no_route", reason: host.reason };
  c.host = host.value;

  const startedAt = state.clock.now();
  const own = route.tlsCert === "" ? connector.snapshot : state.tls.get(tlsMaterialId(route));
  if (own === undefined) return withoutCertificate(route);
  if (own.certPem === "") return CERTIFICATE_PENDING;
  if (c.stream.isBroken()) return LEFT_BEFORE_TLS;
  const tls = await connector.acceptor(own).accept(c.stream.toSocket(), peeked, {
    handshakes: state.handshakes,
    source: sourceKey(c.client.ip),
  });
  if (!tls.ok) return tls;
  state.counters.observe("tls_handshake", (state.clock.now() - startedAt) / 1000);
  const identity = identify(c, tls.socket, { connector, state });
  if (typeof identity === "string") return { outcome: "certificate_refused", reason: identity };
  return await admit(c, route, { secure: tls.socket, identity, state });
}

/** The client's identity, or why there is none. */
function identify(
  c: Connection,
  secure: TLSSocket,
  { connector, state }: { readonly connector: Connector; readonly state: PlaneState },
): ClientIdentity | string {
  const nowMs = state.clock.wallNow();
  const { issuer } = connector.snapshot;
  const peer = identifyPeer(secure, { issuer, trust: connector.trust, nowMs });
  if (!peer.ok) return peer.detail ? `${peer.reason}: ${peer.detail}` : peer.reason;
  // Authorities or lists were replaced during the handshake, and live sessions looked at already.
  if (state.connector !== connector) {
    const reason = state.connector?.distrusts(secure, nowMs);
    if (reason !== undefined) return reason;
  }
  c.peerCertificate = secure;
  return peer.identity;
}

/** A client that is known. */
interface Known {
  readonly secure: TLSSocket;
  readonly identity: ClientIdentity;
  readonly state: PlaneState;
}

async function admit(c: Connection, route: Route, known: Known): Promise<Ending> {
  const { identity: { orgId, userId, notAfter }, state } = known;
  c.identity = `${orgId}/${userId}`;
  const request = { id: c.id, orgId, userId, connectId: c.host ?? "", notAfter };
  try {
    const decision = await state.admission?.admit(request, (end) => revoke(c, end));
    if (c.stream.closed) {
      return { outcome: "client_gone", reason: "closed while its access was decided" };
    }
    if (decision?.allowed !== true) {
      return { outcome: "not_authorized", reason: decision?.cause ?? "unavailable" };
    }
    return await connect(c, route, { ...known, decision });
  } finally {
    state.admission?.leave(c.id);
  }
}

async function connect(
  c: Connection,
  route: Route,
  { secure, identity, state, decision }: Known & {
    readonly decision: Extract<Decision, { allowed: true }>;
  },
): Promise<Ending> {
  const first = route.sendProxyProtocol ? proxyHeader(c, secure, identity) : NOTHING;
  const client = new NodeStream(secure, { below: c.stream });
  const stream = { client, first, state };
  if (decision.address === ROUTE_BACKENDS) return await forwardByRoute(c, route, stream);
  const { snapshot: { defaultPort }, destinations } = state.connector as Connector;
  const target = parseHostAddress(decision.address, defaultPort);
  if (!target.ok) {
    const reason = `internal_ip_addr of ${c.host}: ${target.reason}`;
    return { outcome: "backend_unreachable", reason };
  }
  c.backend = formatEndpoint(target.value);
  // One that the operator names too: what the route says of it holds for whoever is led there.
  if (route.backends?.some(({ addr }) => addr === c.backend)) {
    return await forwardBalanced(c, route, { ...stream, only: c.backend });
  }
  const guard = createDestinationGuard(destinations, state.ownPorts);
  return await forward(c, target.value, { ...stream, guard });
}

/** The row leaves it to the route where the host is: the operator's word, which nothing guards. */
async function forwardByRoute(
  c: Connection,
  route: Route,
  stream: Stream & { readonly state: PlaneState },
): Promise<Ending> {
  if (route.backends !== undefined) return await forwardBalanced(c, route, stream);
  if (route.backend === "") {
    const reason = `the row of ${c.host} leaves its address to the route, which has no backends`;
    return { outcome: "backend_unreachable", reason };
  }
  const target = stream.state.targetOf(route);
  if (!target.ok) return { outcome: "internal_error", reason: `backend: ${target.reason}` };
  c.backend = route.backend;
  return await forward(c, target.value, stream);
}

const NOTHING = new Uint8Array(0);

/** Whom the backend is to believe: the client's address, its certificate and the name it used. */
function proxyHeader(c: Connection, secure: TLSSocket, identity: ClientIdentity): Uint8Array {
  const { commonName } = identity;
  const tlvs = [
    authorityTlv(c.sni ?? ""),
    sslTlv({
      overTls: true,
      certificateOnConnection: !secure.isSessionReused(),
      certificateInSession: true,
      verify: 0,
      version: secure.getProtocol() ?? "",
      cipher: secure.getCipher().name,
      ...commonName !== undefined && { commonName },
    }),
  ];
  return encodeProxyV2({ source: c.client, destination: destinationOf(c), tlvs });
}

/** What was allowed is not any more: the session is cut. */
export function revoke(c: Connection, end: SessionEnd): void {
  cutOff(c, "authorization_revoked", describeSessionEnd(end));
}
