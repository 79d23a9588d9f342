import type { Connection } from "./connection_state.ts";
import { revoke } from "./mtls.ts";
import type { PlaneState } from "./plane_state.ts";

/** How long other connections wait at most while those of the connector are looked at. */
const SLICE_MS = 5;

/**
 * Ends the sessions of clients that the connector would not accept any more, after it has been
 * given other authorities or revocation lists. In slices, because a signature takes a tenth of a
 * millisecond and others want to be served meanwhile.
 */
export async function recheckPeers(
  connections: readonly Connection[],
  state: PlaneState,
): Promise<void> {
  const { connector, clock } = state;
  let sliceEnds = clock.now() + SLICE_MS;
  for (const connection of connections) {
    const { peerCertificate, stream } = connection;
    if (peerCertificate === undefined || stream.closed) continue;
    // A newer one is on its way through all of them.
    if (state.connector !== connector) return;
    if (connector?.distrusts(peerCertificate, clock.wallNow()) !== undefined) {
      revoke(connection, { reason: "certificate_revoked" });
    }
    if (clock.now() < sliceEnds) continue;
    await new Promise((resolve) => setTimeout(resolve, 0));
    sliceEnds = clock.now() + SLICE_MS;
  }
}
