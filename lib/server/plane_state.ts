import type { Gatekeeper, TrustMemory } from "../connector/mod.ts";
import type { ConnectionLimiter, Firewall, RateLimiter } from "../firewall/mod.ts";
import type { L7Service, TlsMaterial } from "../l7/mod.ts";
import type { Counters } from "../observe/mod.ts";
import type { Clock, ConnectDeadlines, Deadlines, RelayOptions } from "../relay/mod.ts";
import type { Handshakes } from "../tls/mod.ts";
import type { Connector } from "./connector.ts";
import type { Streams } from "./streams.ts";

/** What every connection of one worker looks up; replaced piece by piece when changes apply. */
export interface PlaneState {
  readonly clock: Clock;
  readonly counters: Counters;
  readonly firewall: Firewall;
  readonly rateLimiter: RateLimiter | undefined;
  /** Of open connections per source. */
  readonly connectionLimiter: ConnectionLimiter | undefined;
  /** Index of the worker, for what it takes of shared limits. */
  readonly worker: number;
  /** For the PROXY header and the ClientHello together. */
  readonly prefaceDeadlines: Deadlines;
  /** Connections to l4 and mtls backends. */
  readonly streams: Streams;
  connectDeadlines: ConnectDeadlines;
  relayOptions: RelayOptions;
  readonly l7: L7Service;
  /** By {@link TlsMaterial.id}. */
  readonly tls: Map<string, TlsMaterial>;
  /** Absent: connections of mtls routes are refused. */
  connector: Connector | undefined;
  /** What is known of clients' certificates, whatever connector they came to. */
  readonly trustMemory: TrustMemory;
  readonly gatekeeper: Gatekeeper | undefined;
  /** Where this proxy listens itself. */
  readonly ownPorts: () => Iterable<number>;
  /** TLS handshakes that are under way, of l7 and mtls. */
  readonly handshakes: Handshakes;
}
