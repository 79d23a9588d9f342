/**
 * How a connection is handled: relayed without touching its TLS (`l4`), terminated and proxied as
 * HTTP (`l7`), or terminated with a client certificate and authorised (`mtls`).
 */
export type Mode = "l4" | "l7" | "mtls";

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
}
