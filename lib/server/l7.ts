import { formatIp } from "../addr/mod.ts";
import { tlsMaterialId } from "../l7/mod.ts";
import type { Route } from "../routes/mod.ts";
import { ACME } from "../state/mod.ts";
import {
  type Connection,
  destinationOf,
  type Ending,
  formatSocketAddress,
  LEFT_BEFORE_TLS,
} from "./connection_state.ts";
import type { Arrival } from "./mode.ts";

/** Mode l7: TLS ends here, and each request finds its own way. */
export async function serveL7(c: Connection, { route, peeked, state }: Arrival): Promise<Ending> {
  const material = state.tls.get(tlsMaterialId(route));
  if (material === undefined) {
    return withoutCertificate(route);
  }
  if (c.stream.isBroken()) return LEFT_BEFORE_TLS;
  const session = state.l7.serve(
    {
      id: c.id,
      client: c.client,
      clientText: formatSocketAddress(c.client),
      clientIp: formatIp(c.client.ip),
      // Only a PROXY header needs it.
      get destination() {
        return destinationOf(c);
      },
      route,
      currentRoute: () => {
        const now = c.listener.routes.get(route.hostname);
        return now?.mode === "l7" ? now : route;
      },
      onBackend: ({ hostname }, backend, outcome) => {
        const { addr: listener } = c.listener;
        state.counts.countBackend({ listener, route: hostname, backend, outcome });
      },
      onRefused: () => {
        c.refusedRequests++;
      },
      // A route that has begun to name others is none for a client that is connected already.
      matchRoute: (host) => {
        const found = c.listener.routes.match(host);
        const isRefused = found && state.sources.allowList(found)?.holds(c.client.ip) === false;
        return isRefused ? undefined : found;
      },
    },
    c.stream,
    { peeked, material },
  );
  c.carrier = session;
  return await session.ended;
}

/** Until an authority has issued it. */
export const CERTIFICATE_PENDING: Ending = {
  outcome: "mode_unavailable",
  reason: "certificate pending",
};

/** How a connection ends whose route cannot end TLS. Until a certificate is issued nobody failed. */
export function withoutCertificate({ tlsCert }: Route): Ending {
  return tlsCert === ACME
    ? CERTIFICATE_PENDING
    : { outcome: "tls_failed", reason: "the route has no usable certificate" };
}
