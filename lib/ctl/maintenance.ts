import { RouteSchema, UpdateRouteResponseSchema } from "../admin/gen/mod.ts";
import { create } from "@bufbuild/protobuf";
import { UsageError } from "../terminal/mod.ts";
import type { Session } from "./session.ts";

/** `routes maintenance`: has a route answer 503 to everything, or ask its backend again. */
export async function setMaintenance(
  session: Session,
  { hostname, listener, state }: {
    readonly hostname: string;
    /** Needed where several listeners have a route of that hostname. */
    readonly listener: string | undefined;
    readonly state: "on" | "off";
  },
): Promise<void> {
  const listenerAddr = listener ?? await onlyListenerOf(session, hostname);
  const found = await session.client.updateRoute({
    listenerAddr,
    route: create(RouteSchema, { hostname, maintenance: state === "on" }),
    updateMask: { paths: ["maintenance"] },
  });
  session.answer(UpdateRouteResponseSchema, found, ({ route }) => [
    `maintenance of ${listenerAddr} ${route?.hostname} is ${state}`,
  ]);
}

/**
 * The one listener that has a route of exactly this hostname.
 *
 * @throws {UsageError}
 */
export async function onlyListenerOf({ client }: Session, hostname: string): Promise<string> {
  const name = hostname.toLowerCase().replace(/\.$/, "");
  const { listeners } = await client.listListeners({});
  const addrs = listeners.flatMap(({ listener }) => listener === undefined ? [] : [listener.addr]);
  const found: string[] = [];
  for (const listenerAddr of addrs) {
    const { routes } = await client.listRoutes({ listenerAddr });
    if (routes.some((route) => route.hostname === name)) found.push(listenerAddr);
  }
  const [only, ...others] = found;
  if (only === undefined) throw new UsageError(`no listener has a route ${hostname}`);
  if (others.length === 0) return only;
  const message = `${found.join(" and ")} have a route ${hostname}: say which with --listener`;
  throw new UsageError(message);
}
