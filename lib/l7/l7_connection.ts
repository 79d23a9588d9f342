import type { BackendOutcome } from "../observe/mod.ts";
import type { SocketAddress } from "../proxyproto/mod.ts";
import type { Route } from "../routes/mod.ts";

/** What the server knows of a connection when it hands it over. */
export interface L7Connection {
  readonly id: string;
  /** The real client. */
  readonly client: SocketAddress;
  /** `client` as `ip:port`, and its address alone. */
  readonly clientText: string;
  readonly clientIp: string;
  /** Where the real client connected to. */
  readonly destination: SocketAddress;
  /** The route that the SNI selected. */
  readonly route: Route;
  /** What that route is now; as it was where it is there no more. */
  readonly currentRoute: () => Route;
  /** The route that a hostname selects on the same listener now. */
  readonly matchRoute: (host: string) => Route | undefined;
  /** How the backend of a route served a request. */
  readonly onBackend?: (route: Route, backend: string, outcome: BackendOutcome) => void;
  /** A policy has refused a request. */
  readonly onRefused?: () => void;
}
