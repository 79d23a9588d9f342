import type { RequestHead } from "../http/mod.ts";
import { decide, type Decision } from "../redirect/mod.ts";
import type { Route } from "../routes/mod.ts";
import type { Connection, Ending } from "./connection_state.ts";
import type { PlaneState } from "./plane_state.ts";

/**
 * Plain HTTP: steps 4 to 6 of a listener that redirects. Its request names what a ClientHello would,
 * and `first` was read of it.
 */
export async function serveRedirect(
  c: Connection,
  first: Uint8Array,
  state: PlaneState,
): Promise<Ending> {
  const { spared } = c;
  const session = state.redirects.serve(c.stream, {
    first,
    onlyProofs: spared !== undefined,
    decide: (head) => decideFor(c, head, state),
  });
  c.carrier = session;
  const ending = await session.ended;
  return spared !== undefined && ending.outcome !== "acme_proved" ? spared : ending;
}

function decideFor(c: Connection, head: RequestHead, state: PlaneState): Decision {
  const { listener, client, spared } = c;
  // A route that names others is none for this client.
  const isAllowed = (route: Route) => state.sources.allowList(route)?.holds(client.ip) !== false;
  const httpsPort = (name: string) => {
    if (spared !== undefined) return undefined;
    const port = state.httpsPort(name, isAllowed);
    return port === undefined ? undefined : listener.redirectPort || port;
  };
  const proof = (name: string, token: string) => state.challenges.proof(name, token);
  const decision = decide(head, { httpsPort, proof });
  if (decision.name !== undefined) c.sni = decision.name;
  return decision;
}
