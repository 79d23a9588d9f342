import { invalid, RefusedError, type RouteStatus, type Status } from "../control/mod.ts";
import type { ConnectionQuery } from "../plane/mod.ts";
import { RpcError } from "../rpc/mod.ts";
import { type Handlers, sleep } from "../rpc_server/mod.ts";
import { type HitterWeight, TRACKED_PLACES } from "../hitters/mod.ts";
import { parseIpOrCidr } from "../state/mod.ts";
import type { AdminContext } from "./context.ts";
import type { ListConnectionsRequest, ProxyAdminService } from "./gen/mod.ts";
import { fromHitter, weightOf } from "./heaviest_handlers.ts";
import {
  fromConnection,
  fromConnectionEvent,
  fromCount,
  fromExplanation,
  fromStatus,
  optionalMs,
} from "./messages.ts";
import { watchConnections } from "./watch_connections.ts";

type ObserveMethods =
  | "getStatus"
  | "watchStatus"
  | "listConnections"
  | "watchConnections"
  | "closeConnection"
  | "explain";

const DEFAULT_INTERVAL_MS = 1000;
const MIN_INTERVAL_MS = 100;
const MAX_INTERVAL_MS = 3_600_000;
const MAX_ROUTES = 1000;
/** Of the heaviest clients that a stream of looks shows. */
const CLIENTS_WINDOW_MS = 60_000;
const DEFAULT_CONNECTIONS = 1000;
const MAX_LISTED = 10_000;

/** Questions. */
export function observeHandlers(
  context: AdminContext,
): Pick<Handlers<typeof ProxyAdminService>, ObserveMethods> {
  const { control } = context;
  const toMessage = (status: Status) => {
    const { version } = context;
    return fromStatus(status, {
      version,
      problem: context.problem(),
      warnings: context.warnings(),
    });
  };
  return {
    async getStatus() {
      return { status: toMessage(await control.status()) };
    },
    async *watchStatus({ interval, routes, clients, clientsBy }, { signal }) {
      const ms = optionalMs(interval) ?? DEFAULT_INTERVAL_MS;
      if (ms < MIN_INTERVAL_MS || ms > MAX_INTERVAL_MS) {
        throw invalid("interval", "not in 100 ms–1 h");
      }
      if (routes > MAX_ROUTES) throw invalid("routes", `not in 0–${MAX_ROUTES}`);
      if (clients > TRACKED_PLACES) throw invalid("clients", `not in 0–${TRACKED_PLACES}`);
      const by = weightOf("clients_by", clientsBy);
      const heaviest = () => heaviestClients(context, { by, limit: clients });
      let before = new Map<string, number>();
      while (!signal.aborted) {
        const status = await control.status();
        const busy = busiest(status.routes, before, routes);
        yield {
          status: toMessage(status),
          routes: busy.map(fromCount),
          clients: await heaviest(),
        };
        before = new Map(status.routes.map((route) => [keyOf(route), loadOf(route)]));
        await sleep(ms, signal, context.closing);
        if (context.closing.aborted) {
          throw new RpcError("unavailable", "the proxy is shutting down");
        }
      }
    },
    async listConnections(request) {
      const { limit } = request;
      if (limit > MAX_LISTED) throw invalid("limit", `not in 0–${MAX_LISTED}`);
      const most = limit === 0 ? DEFAULT_CONNECTIONS : limit;
      const { connections, total } = await control.plane.findConnections(queryOf(request), most);
      return { connections: connections.slice(0, most).map(fromConnection), total };
    },
    async *watchConnections(request, { signal }) {
      const { closing } = context;
      for await (const found of watchConnections(control, request, { signal, closing })) {
        const { events, dropped } = found;
        yield { events: events.map(fromConnectionEvent), dropped: BigInt(dropped) };
      }
    },
    async closeConnection({ id }) {
      if (id === "") throw invalid("id", "is missing");
      if (await control.plane.closeConnection(id)) return {};
      throw new RefusedError("not_found", "the connection does not exist");
    },
    explain(question) {
      return fromExplanation(control.explain(question));
    },
  };
}

/** Those of the last minute. */
async function heaviestClients(
  context: AdminContext,
  question: { readonly by: HitterWeight; readonly limit: number },
) {
  if (question.limit === 0) return [];
  const { totals } = context.control;
  const asked = { group: "client", windowMs: CLIENTS_WINDOW_MS, ...question } as const;
  const { hitters } = await totals.heaviest(asked);
  return hitters.map((it) => fromHitter(it, "client", context));
}

function queryOf({ listenerAddr, route, client }: ListConnectionsRequest): ConnectionQuery {
  const block = client === "" ? undefined : parseIpOrCidr(client);
  if (block?.ok === false) throw invalid("client", block.reason);
  return {
    ...listenerAddr !== "" && { listener: listenerAddr },
    ...route !== "" && { route },
    ...block?.ok && { client: block.value },
  };
}

/** Those that carried the most since the look before; open connections decide between equals. */
function busiest(
  routes: readonly RouteStatus[],
  before: ReadonlyMap<string, number>,
  count: number,
): RouteStatus[] {
  const growth = (route: RouteStatus) => loadOf(route) - (before.get(keyOf(route)) ?? 0);
  return routes.toSorted((a, b) => growth(b) - growth(a) || b.active - a.active).slice(0, count);
}

function loadOf({ bytesIn, bytesOut }: RouteStatus): number {
  return bytesIn + bytesOut;
}

function keyOf({ listener, route }: RouteStatus): string {
  return `${listener} ${route}`;
}
