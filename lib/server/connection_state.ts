import { formatIp, parseIp } from "../addr/mod.ts";
import type { TlsPeer } from "../connector/mod.ts";
import type { FirewallRule, SourcePermit } from "../firewall/mod.ts";
import type { BackendUse } from "../l7/mod.ts";
import type { OutcomeName, Permits } from "../observe/mod.ts";
import type { TlsProofSnapshot } from "../plane/mod.ts";
import type { SocketAddress } from "../proxyproto/mod.ts";
import { Link } from "../relay/mod.ts";
import type { Route } from "../routes/mod.ts";
import type { SocketName, TcpStream } from "../tcp/mod.ts";
import type { ActiveListener } from "./listener.ts";

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

/** A RST came with the ClientHello: to `node:tls` the first answer is then lost without a sign. */
export const LEFT_BEFORE_TLS: Ending = {
  outcome: "client_gone",
  reason: "closed before the TLS handshake",
};

/** Why we cut a connection off. */
export type CutBy = "shutdown" | "closed_by_operator" | "authorization_revoked";

/** What carries a connection: a relay of its octets, or a session of its HTTP. */
export interface Carrier {
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Ends both sides at once. */
  cut(outcome: CutBy): void;
  /** Of a session of requests: whether one of them is at this backend, and the end of those. */
  usesBackend?(backend: BackendUse): boolean;
  cutBackend?(backend: BackendUse): void;
  /** Ends with what is under way; absent: when both sides have ended. */
  shutdown?(): void;
}

/** Octets from the client, and to it. */
export interface Traffic {
  readonly bytesIn: number;
  readonly bytesOut: number;
}

const NO_TRAFFIC: Traffic = { bytesIn: 0, bytesOut: 0 };

/** What is known of a connection when it is accepted. */
export interface Accepted {
  readonly stream: TcpStream;
  readonly listener: ActiveListener;
  /** Milliseconds on the plane's clock. */
  readonly startedAt: number;
  /** The TCP peer. */
  readonly peer: SocketAddress;
  /** What ids of this worker begin with, and which of its connections this is. */
  readonly idPrefix: string;
  readonly sequence: number;
}

/** One accepted connection: what is known of it grows along its path. */
export class Connection extends Link {
  readonly stream: TcpStream;
  readonly listener: ActiveListener;
  /** Milliseconds on the plane's clock. */
  readonly startedAt: number;
  /** The TCP peer. */
  readonly peer: SocketAddress;
  /** The real client: the peer, or whom the PROXY header names. */
  client: SocketAddress;
  /** Where the real client connected to, if a PROXY header says so. */
  destination: SocketAddress | undefined = undefined;
  sni: string | undefined = undefined;
  route: Route | undefined = undefined;
  /** How the firewall refuses it; it is read on all the same, for a validator may be behind it. */
  spared: Ending | undefined = undefined;
  /** The name that it proves. */
  challenge: TlsProofSnapshot | undefined = undefined;
  /** While it is counted for its source. */
  sourcePermit: SourcePermit | undefined = undefined;
  /** While it is counted for its route. */
  routePermits: Permits | undefined = undefined;
  /** Since its mode carries something. */
  carrier: Carrier | undefined = undefined;
  /** mtls: the host that the server name asks for. */
  host: string | undefined = undefined;
  /** mtls: `org/user`. */
  identity: string | undefined = undefined;
  /** Which of several backends it goes to; mtls: where the host is. */
  backend: string | undefined = undefined;
  /** mtls: to look at the client's certificate again. */
  peerCertificate: TlsPeer | undefined = undefined;
  /** What of its traffic is in the counts. */
  taken: Traffic = NO_TRAFFIC;
  /** Whether `Heaviest` has counted it while it lasts, and how many octets of it. */
  isCounted = false;
  countedBytes = 0;
  /** l7: requests that a policy has refused, which it has not counted yet. */
  refusedRequests = 0;
  /** Why we cut it, whatever its path then reports. */
  cutBy: CutBy | undefined = undefined;
  cutReason: string | undefined = undefined;
  readonly #idPrefix: string;
  readonly #sequence: number;

  constructor({ stream, listener, startedAt, peer, idPrefix, sequence }: Accepted) {
    super();
    this.stream = stream;
    this.listener = listener;
    this.startedAt = startedAt;
    this.peer = peer;
    this.client = peer;
    this.#idPrefix = idPrefix;
    this.#sequence = sequence;
  }

  /** Put together when it is asked for: nobody does of most that are refused in a flood. */
  get id(): string {
    return `${this.#idPrefix}-${this.#sequence.toString(36)}`;
  }
}

/** Cuts a connection off, wherever on its path it is. */
export function cutOff(
  c: Connection,
  outcome: CutBy,
  reason?: string,
): void {
  // The first cut counts.
  if (c.cutBy !== undefined) return;
  c.cutBy = outcome;
  c.cutReason = reason;
  if (c.carrier !== undefined) c.carrier.cut(outcome);
  else c.stream.reset();
}

/** What the PROXY header named, or our end of the socket, which only now costs a system call. */
export function destinationOf(c: Connection): SocketAddress {
  return c.destination ?? socketAddress(c.stream.localName()) ?? c.peer;
}

/** An address as the runtime writes it. Zone identifiers are cut off: they name our interfaces. */
export function socketAddress(name: SocketName | undefined): SocketAddress | undefined {
  if (name === undefined) return undefined;
  const zone = name.address.indexOf("%");
  const ip = parseIp(zone < 0 ? name.address : name.address.slice(0, zone));
  return ip.ok ? { ip: ip.value, port: name.port } : undefined;
}

/** `ip:port`, with brackets around IPv6. */
export function formatSocketAddress({ ip, port }: SocketAddress): string {
  return ip.family === 6 ? `[${formatIp(ip)}]:${port}` : `${formatIp(ip)}:${port}`;
}

/** What cut a connection off counts more than what its path made of that. */
export function withCut({ cutBy, cutReason }: Connection, ending: Ending): Ending {
  return cutBy === undefined ? ending : { ...ending, outcome: cutBy, reason: cutReason };
}
