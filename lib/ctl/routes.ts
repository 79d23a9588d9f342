import {
  AddRouteRequestSchema,
  AddRouteResponseSchema,
  ListRoutesResponseSchema,
  RemoveRouteResponseSchema,
  RouteSchema,
  UpdateRouteResponseSchema,
} from "../admin/gen/mod.ts";
import type { Route } from "../client/mod.ts";
import { toMessage } from "../messages/mod.ts";
import { ROUTE } from "../state/mod.ts";
import { type Column, columnsOf, fieldsOf, type FlagValues } from "../terminal/mod.ts";
import { liveWords, type Session } from "./session.ts";
import { changedFields } from "./update.ts";

type ListedRoute = Route & { listenerAddr: string };

const ROUTE_COLUMNS: readonly Column<ListedRoute>[] = [
  { title: "LISTENER", value: ({ listenerAddr }) => listenerAddr },
  ...columnsOf<ListedRoute>(ROUTE.shape, [
    "hostname",
    "mode",
    "backend",
    "backend_tls",
    "send_proxy_protocol",
  ]).map((column) =>
    column.title !== "BACKEND" ? column : {
      ...column,
      value: ({ backend, backends }: ListedRoute) =>
        backends.length > 1 ? `${backend} (+${backends.length - 1})` : backend,
    }
  ),
];

export async function listRoutes(session: Session, listener: string | undefined): Promise<void> {
  const { client } = session;
  if (listener !== undefined) {
    const found = await client.listRoutes({ listenerAddr: listener });
    const rows = found.routes.map((route) => ({ ...route, listenerAddr: found.listenerAddr }));
    session.answer(ListRoutesResponseSchema, found, () => {
      return session.table(rows, ROUTE_COLUMNS, "no routes");
    });
    return;
  }
  const { listeners } = await client.listListeners({});
  const rows: ListedRoute[] = [];
  for (const { listener } of listeners) {
    const { listenerAddr, routes } = await client.listRoutes({
      listenerAddr: listener?.addr ?? "",
    });
    rows.push(...routes.map((route) => ({ ...route, listenerAddr })));
  }
  if (session.json) {
    const plain = rows.map(({ $typeName: _, $unknown: __, ...route }) => toSnakeCase(route));
    session.raw(`${JSON.stringify({ routes: plain }, null, 2)}\n`);
  } else {
    session.print(...session.table(rows, ROUTE_COLUMNS, "no routes"));
  }
}

export async function addRoute(
  session: Session,
  target: { listener: string; hostname: string; backend: string | undefined },
  flags: FlagValues,
): Promise<void> {
  const { listener: listenerAddr, hostname, backend = "" } = target;
  const route = { ...fieldsOf(ROUTE.shape, flags), hostname, backend };
  const fields = toMessage(ROUTE.shape, AddRouteRequestSchema, route);
  const found = await session.client.addRoute({ ...fields, listenerAddr });
  session.answer(AddRouteResponseSchema, found, ({ route }) => [
    `added route ${listenerAddr} ${route?.hostname} (${route?.mode}) to ${route?.backend || "—"}`,
  ]);
}

export async function updateRoute(
  session: Session,
  target: { listener: string; hostname: string },
  { close, ...flags }: FlagValues & { readonly close?: boolean },
): Promise<void> {
  const { changes, updateMask } = changedFields(ROUTE.shape, flags);
  const { listener: listenerAddr, hostname } = target;
  const done = await session.client.updateRoute({
    listenerAddr,
    route: toMessage(ROUTE.shape, RouteSchema, { ...changes, hostname }),
    updateMask,
    closeConnections: close ?? false,
  });
  session.answer(
    UpdateRouteResponseSchema,
    done,
    ({ route, liveConnections, closedConnections }) => [
      `updated route ${listenerAddr} ${route?.hostname}${
        liveWords(liveConnections, closedConnections)
      }`,
    ],
  );
}

export async function removeRoute(
  session: Session,
  { listener: listenerAddr, hostname }: { listener: string; hostname: string },
  { close: closeConnections = false }: { close?: boolean },
): Promise<void> {
  const done = await session.client.removeRoute({ listenerAddr, hostname, closeConnections });
  session.answer(RemoveRouteResponseSchema, done, ({ liveConnections, closedConnections }) => [
    `removed route ${listenerAddr} ${hostname}${liveWords(liveConnections, closedConnections)}`,
  ]);
}

function toSnakeCase(object: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(object).map(([key, value]) => [
      key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
      value,
    ]),
  );
}
