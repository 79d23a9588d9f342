import {
  type Authority,
  compileDestinations,
  type DestinationCheck,
  parseAuthorities,
  recheckPeer,
  type RevocationLists,
  type TlsPeer,
  type Trust,
  type TrustMemory,
} from "../connector/mod.ts";
import type { ConnectorSnapshot } from "../plane/mod.ts";
import { TlsAcceptor } from "../tls/mod.ts";

/** A certificate that a route puts in the place of the connector's own. */
export interface OwnCertificate {
  readonly certPem: string;
  readonly keyPem: string;
}

/** A {@link ConnectorSnapshot} made ready for handshakes. */
export class Connector {
  readonly snapshot: ConnectorSnapshot;
  readonly #acceptors = new WeakMap<OwnCertificate, TlsAcceptor>();
  /** What clients are held against. */
  readonly trust: Trust & { readonly memory: TrustMemory };
  /** Why an address must not be dialled. */
  readonly destinations: DestinationCheck;

  /**
   * @param memory Of this worker; it outlives a connector.
   * @throws {Error} if a certificate or the key cannot be used; there may be none yet.
   */
  constructor(snapshot: ConnectorSnapshot, memory: TrustMemory) {
    const { revocationLists } = snapshot;
    this.snapshot = snapshot;
    const authorities: readonly Authority[] = parseAuthorities(snapshot.authorities);
    this.trust = { authorities, revocationLists, memory };
    this.destinations = compileDestinations(snapshot.allowedNetworks);
    if (snapshot.certPem !== "") this.acceptor(snapshot);
  }

  /** The TLS server with this certificate. */
  acceptor(own: OwnCertificate): TlsAcceptor {
    let acceptor = this.#acceptors.get(own);
    if (acceptor === undefined) {
      const { certPem, keyPem } = own;
      const { authorities: clientAuthorities } = this.snapshot;
      acceptor = new TlsAcceptor({ certPem, keyPem, clientAuthorities });
      this.#acceptors.set(own, acceptor);
    }
    return acceptor;
  }

  /** Whether clients that `before` accepted have to be looked at again. */
  trustsOthersThan({ snapshot: before }: Connector): boolean {
    const { authorities, revocationLists } = this.snapshot;
    return !sameList(authorities, before.authorities) ||
      !sameLists(revocationLists, before.revocationLists);
  }

  /** Why a client that was accepted would not be now, or `undefined`. */
  distrusts(peer: TlsPeer, nowMs: number): string | undefined {
    const result = recheckPeer(peer, { ...this.trust, nowMs });
    return result.ok ? undefined : result.reason;
  }
}

function sameList(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((text, i) => text === b[i]);
}

function sameLists(a: RevocationLists, b: RevocationLists): boolean {
  return a.size === b.size && [...a].every(([issuer, { serials, nextUpdate }]) => {
    const other = b.get(issuer);
    return other?.nextUpdate === nextUpdate && other.serials.size === serials.size &&
      serials.isSubsetOf(other.serials);
  });
}
