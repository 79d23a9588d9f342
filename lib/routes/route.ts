import type { L7Policy } from "./policy.ts";

/**
 * How a connection is handled: relayed without touching its TLS (`l4`), terminated and proxied as
 * HTTP (`l7`), or terminated with a client certificate and authorised (`mtls`).
 */
export type Mode = "l4" | "l7" | "mtls";

/** What the backend of an l7 route may be said to speak; `auto`: it is found out. */
export const BACKEND_PROTOCOLS = ["auto", "h2", "http1"] as const;

/** One of {@link BACKEND_PROTOCOLS}. */
export type BackendProtocol = typeof BACKEND_PROTOCOLS[number];

/** Where connections for one hostname go. */
export interface Route {
  /** The database's row id. */
  readonly id: number;
  /** Canonical (lower case, no trailing dot); a wildcard keeps its `*.`. */
  readonly hostname: string;
  /** `host:port`. */
  readonly backend: string;
  readonly mode: Mode;
  /** Path of the certificate chain, PEM; `""` for none. */
  readonly tlsCert: string;
  /** Path of the private key, PEM; `""` for none. */
  readonly tlsKey: string;
  /** Whether the backend is spoken to over TLS; has no meaning for `l4`. */
  readonly backendTls: boolean;
  /** Whether the backend gets a PROXY protocol v2 header first. */
  readonly sendProxyProtocol: boolean;
  /** l7: default `auto`. */
  readonly backendProtocol?: BackendProtocol;
  /** l7 with `backendTls`: check the backend's certificate; default `false`. */
  readonly backendTlsVerify?: boolean;
  /** Path of the authorities it is checked against, PEM; default `""`: the system's. */
  readonly backendCa?: string;
  /** The name it is asked for and checked against; default `""`: the backend's host. */
  readonly backendServerName?: string;
  /** l7: rules that each request has to pass, in order. */
  readonly policies?: readonly L7Policy[];
}
