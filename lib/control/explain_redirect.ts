import { parseHostname } from "../addr/mod.ts";
import type { ListenerSnapshot, Snapshot } from "../plane/mod.ts";
import { httpsPlace, type Route, type RouteTable } from "../routes/mod.ts";
import { isRedirect } from "../state/mod.ts";

/** What {@link explainRedirect} looks at. */
export interface RedirectSights {
  readonly snapshot: Snapshot;
  readonly table: (listenerId: number) => RouteTable | undefined;
  /** Whether a route is for the client. */
  readonly isAllowed: (route: Route) => boolean;
}

/** Where a request for a name goes that comes to a listener of plain HTTP. */
export function explainRedirect(
  listener: ListenerSnapshot,
  asked: string,
  { snapshot, table, isAllowed }: RedirectSights,
): { readonly route: Route | undefined; readonly steps: readonly string[] } {
  const name = parseHostname(asked);
  if (!name.ok) {
    const why = asked === "" ? "the request has none" : name.reason;
    return { route: undefined, steps: [`host: ${why}`] };
  }
  const steps: string[] = [];
  const { challenges = [], listeners } = snapshot;
  if (challenges.some(({ type, name: proved }) => type === "http-01" && proved === name.value)) {
    steps.push(`acme: ${name.value} is being proved: its token is answered past the firewall`);
  }
  const places = listeners.flatMap((each) => {
    const routes = table(each.id);
    return routes === undefined
      ? []
      : [{ addr: each.addr, port: each.port, isRedirect: isRedirect(each), routes }];
  });
  const place = httpsPlace(places, name.value, isAllowed);
  if (place === undefined) {
    steps.push(`redirect: no listener has an l7 route for ${name.value} that is for this client`);
    return { route: undefined, steps };
  }
  const port = listener.redirectPort || place.port;
  const host = port === 443 ? name.value : `${name.value}:${port}`;
  const there = `where the route ${place.route.hostname} at port ${place.port} takes it`;
  steps.push(`redirect: 308 to https://${host}, ${there}`);
  return { route: place.route, steps };
}
