import {
  type Column,
  columnsOf,
  fieldsOf,
  type FlagValues,
  formatBytes,
  UsageError,
  yesNo,
} from "../terminal/mod.ts";
import {
  AddL7PolicyResponseSchema,
  AddListenerRequestSchema,
  AddListenerResponseSchema,
  AddRouteRequestSchema,
  AddRouteResponseSchema,
  ListenerSchema,
  ListL7PoliciesResponseSchema,
  ListListenersResponseSchema,
  ListRoutesResponseSchema,
  RemoveL7PolicyResponseSchema,
  RemoveListenerResponseSchema,
  RemoveRouteResponseSchema,
  RouteSchema,
  UpdateListenerResponseSchema,
  UpdateRouteResponseSchema,
} from "../admin/gen/mod.ts";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import type { L7Policy, Route } from "../client/mod.ts";
import { toMessage } from "../messages/mod.ts";
import type { RecordShape } from "../schema/mod.ts";
import { LISTENER, POLICY, ROUTE } from "../state/mod.ts";
import { count, liveWords, type Session } from "./session.ts";

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
  const changes = fieldsOf(ROUTE.shape, flags);
  if (Object.keys(changes).length === 0) throw new UsageError("nothing to update: give a flag");
  const { listener: listenerAddr, hostname } = target;
  const done = await session.client.updateRoute({
    listenerAddr,
    route: toMessage(ROUTE.shape, RouteSchema, { ...changes, hostname }),
    updateMask: maskOf(ROUTE.shape, changes),
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

export async function listListeners(session: Session): Promise<void> {
  const found = await session.client.listListeners({});
  session.answer(ListListenersResponseSchema, found, ({ listeners }) =>
    session.table(listeners, [
      { title: "LISTENER", value: ({ listener }) => listener?.addr ?? "" },
      { title: "PORT", value: ({ status }) => `${status?.boundPort}`, right: true },
      { title: "KIND", value: ({ listener }) => listener?.kind || "tls" },
      { title: "PROXY", value: ({ listener }) => yesNo(listener?.proxyProtocol ?? false) },
      { title: "ROUTES", value: ({ status }) => `${status?.routeCount}`, right: true },
      { title: "ACTIVE", value: ({ status }) => `${status?.activeConnections}`, right: true },
      {
        title: "LIMIT",
        value: ({ listener }) => `${listener?.maxConnections || "none"}`,
        right: true,
      },
      { title: "TOTAL", value: ({ status }) => `${status?.totalConnections}`, right: true },
      { title: "IN", value: ({ status }) => formatBytes(status?.bytesIn ?? 0), right: true },
      { title: "OUT", value: ({ status }) => formatBytes(status?.bytesOut ?? 0), right: true },
    ], "no listeners"));
}

export async function addListener(
  session: Session,
  addr: string,
  flags: FlagValues,
): Promise<void> {
  const listener = { ...fieldsOf(LISTENER.shape, flags), addr };
  const done = await session.client.addListener(
    toMessage(LISTENER.shape, AddListenerRequestSchema, listener),
  );
  session.answer(AddListenerResponseSchema, done, ({ listener, boundPort }) => [
    `added listener ${listener?.addr}, bound to port ${boundPort}`,
  ]);
}

export async function updateListener(
  session: Session,
  addr: string,
  flags: FlagValues,
): Promise<void> {
  const changes = fieldsOf(LISTENER.shape, flags);
  if (Object.keys(changes).length === 0) throw new UsageError("nothing to update: give a flag");
  const done = await session.client.updateListener({
    listener: toMessage(LISTENER.shape, ListenerSchema, { ...changes, addr }),
    updateMask: maskOf(LISTENER.shape, changes),
  });
  session.answer(UpdateListenerResponseSchema, done, ({ listener }) => [
    `updated listener ${listener?.addr}, for new connections`,
  ]);
}

/** The fields that changes are about, by their names in the protocol. */
function maskOf({ fields }: RecordShape, changes: Readonly<Record<string, unknown>>) {
  return { paths: Object.keys(changes).map((property) => fields.get(property)?.key ?? property) };
}

export async function removeListener(
  session: Session,
  addr: string,
  { close, drain }: { close?: boolean; drain?: number },
): Promise<void> {
  const done = await session.client.removeListener({
    addr,
    closeConnections: close === true || drain !== undefined,
    ...drain !== undefined && { drainTimeout: durationFromMs(drain) },
  });
  session.answer(RemoveListenerResponseSchema, done, ({ liveConnections, closedConnections }) => {
    const live = drain !== undefined && liveConnections > 0
      ? `; ${count(liveConnections, "live connection")} given time to end`
      : liveWords(liveConnections, closedConnections);
    return [`removed listener ${addr}${live}`];
  });
}

export async function listPolicies(
  session: Session,
  { listener: listenerAddr, hostname }: { listener: string; hostname: string },
): Promise<void> {
  const found = await session.client.listL7Policies({ listenerAddr, hostname });
  session.answer(
    ListL7PoliciesResponseSchema,
    found,
    ({ policies }) => session.table(policies, columnsOf<L7Policy>(POLICY.shape, []), "no policies"),
  );
}

/** Which policy of which route. */
export interface PolicyTarget {
  readonly listener: string;
  readonly hostname: string;
  readonly type: string;
  readonly value: string;
}

export async function addPolicy(session: Session, target: PolicyTarget): Promise<void> {
  const { listener: listenerAddr, hostname, ...policy } = target;
  const done = await session.client.addL7Policy({ listenerAddr, hostname, policy });
  session.answer(AddL7PolicyResponseSchema, done, ({ policy: added }) => [
    `added policy ${added?.type} ${added?.value} to ${listenerAddr} ${hostname}`,
  ]);
}

export async function removePolicy(session: Session, target: PolicyTarget): Promise<void> {
  const { listener: listenerAddr, hostname, ...policy } = target;
  const done = await session.client.removeL7Policy({ listenerAddr, hostname, policy });
  session.answer(RemoveL7PolicyResponseSchema, done, () => [
    `removed policy ${policy.type} ${policy.value} from ${listenerAddr} ${hostname}`,
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
