import { encodeProxyV2 } from "../proxyproto/mod.ts";
import { concat } from "../wire/mod.ts";
import { forwardBalanced } from "./balanced.ts";
import { type Connection, destinationOf, type Ending } from "./connection_state.ts";
import { forward } from "./forward.ts";
import type { Arrival } from "./mode.ts";

/** Mode l4: the client's octets go to the backend as they are, after our own PROXY header. */
export function serveL4(c: Connection, { route, peeked, state }: Arrival): Promise<Ending> {
  if (route.backends !== undefined) {
    const first = route.sendProxyProtocol ? withProxyHeader(c, peeked) : peeked;
    return forwardBalanced(c, route, { client: c.stream, first, state });
  }
  const target = state.targetOf(route);
  if (!target.ok) {
    return Promise.resolve({ outcome: "internal_error", reason: `backend: ${target.reason}` });
  }
  const first = route.sendProxyProtocol ? withProxyHeader(c, peeked) : peeked;
  return forward(c, target.value, { client: c.stream, first, state });
}

/** Header and hello in one write: some receivers expect all of the header in their first read. */
function withProxyHeader(c: Connection, peeked: Uint8Array): Uint8Array {
  const header = encodeProxyV2({ source: c.client, destination: destinationOf(c) });
  return concat(header, peeked);
}
