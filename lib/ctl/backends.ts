import { durationFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import {
  AddBackendResponseSchema,
  BackendSchema,
  type BackendStatus,
  ListBackendsResponseSchema,
  RemoveBackendResponseSchema,
  SetBackendStateResponseSchema,
} from "../admin/gen/mod.ts";
import { toMessage } from "../messages/mod.ts";
import { BACKEND, type BackendState } from "../state/mod.ts";
import { type Column, fieldsOf, type FlagValues, formatTime } from "../terminal/mod.ts";
import { count, type Session } from "./session.ts";

/** The route that a command is about, or which of its paths. */
interface RouteFlags {
  readonly listener?: string;
  readonly path?: string;
}

/** `backends`: how they are. */
export async function listBackends(
  session: Session,
  hostname: string | undefined,
  { listener: listenerAddr = "", path = "" }: RouteFlags,
): Promise<void> {
  const found = await session.client.listBackends({
    ...{ hostname: hostname ?? "", listenerAddr, path },
  });
  session.answer(
    ListBackendsResponseSchema,
    found,
    ({ backends }) =>
      session.table(backends, backendColumns(backends), "no route has several backends"),
  );
}

/** What of backends is shown. */
export function backendColumns(
  backends: readonly BackendStatus[],
): readonly Column<BackendStatus>[] {
  const hasPaths = backends.some((it) => it.path !== "");
  return [
    { title: "LISTENER", value: ({ listenerAddr }: BackendStatus) => listenerAddr },
    { title: "HOSTNAME", value: ({ hostname }: BackendStatus) => hostname },
    ...hasPaths ? [{ title: "PATH", value: ({ path }: BackendStatus) => path }] : [],
    { title: "BACKEND", value: ({ backend }: BackendStatus) => backend?.addr ?? "" },
    { title: "STATE", value: ({ condition }: BackendStatus) => condition },
    { title: "SINCE", value: sinceOf },
    { title: "OPEN", value: ({ open }: BackendStatus) => `${open}`, right: true },
    {
      title: "LIMIT",
      value: ({ backend }: BackendStatus) => `${backend?.maxConnections || "none"}`,
      right: true,
    },
    { title: "WEIGHT", value: weightOf, right: true },
    { title: "REASON", value: ({ reason }: BackendStatus) => reason },
  ];
}

/** How many backends are in which condition; nothing if there are none. */
export function conditionWords(backends: readonly BackendStatus[], total: number): string {
  if (total > backends.length) return `${total}, of which ${backends.length} are told of`;
  const counts = new Map<string, number>();
  for (const { condition } of backends) counts.set(condition, (counts.get(condition) ?? 0) + 1);
  const words = [...counts].map(([condition, number]) => `${number} ${condition}`);
  return `${total}: ${words.join(", ")}`;
}

function sinceOf({ since }: BackendStatus): string {
  return since === undefined ? "—" : formatTime(timestampMs(since));
}

function weightOf({ backend }: BackendStatus): string {
  return backend?.backup ? `${backend.weight} backup` : `${backend?.weight ?? 1}`;
}

/** Which backend of which route. */
export interface BackendTarget {
  readonly hostname: string;
  readonly addr: string;
}

/** `backends add`. */
export async function addBackend(
  session: Session,
  { hostname, addr }: BackendTarget,
  { listener: listenerAddr = "", path = "", ...flags }: RouteFlags & FlagValues,
): Promise<void> {
  const backend = toMessage(BACKEND.shape, BackendSchema, {
    ...fieldsOf(BACKEND.shape, flags),
    addr,
  });
  const done = await session.client.addBackend({ hostname, listenerAddr, path, backend });
  session.answer(AddBackendResponseSchema, done, ({ backend: added }) => [
    `added backend ${added?.backend?.addr} to ${added?.listenerAddr} ` +
    placeWords(added?.hostname ?? "", added?.path ?? ""),
  ]);
}

/** Until when what is open may go on. */
interface DeadlineFlag {
  readonly deadline?: number;
}

/** `backends remove`. */
export async function removeBackend(
  session: Session,
  { hostname, addr }: BackendTarget,
  { listener: listenerAddr = "", path = "", deadline }: RouteFlags & DeadlineFlag,
): Promise<void> {
  const from = placeWords(hostname, path);
  const done = await session.client.removeBackend({
    ...{ hostname, listenerAddr, path, addr },
    ...deadline !== undefined && { deadline: durationFromMs(deadline) },
  });
  session.answer(RemoveBackendResponseSchema, done, ({ liveConnections, closedConnections }) => [
    `removed backend ${addr} from ${from}${endWords(liveConnections, closedConnections)}`,
  ]);
}

const DONE: Readonly<Record<BackendState, string>> = {
  up: "is used again",
  drain: "drains: it gets nothing new",
  down: "is down",
};

/** `backends up`, `drain` and `down`. */
export async function setBackendState(
  session: Session,
  { hostname, addr, state }: BackendTarget & { readonly state: BackendState },
  { listener: listenerAddr = "", path = "", deadline }: RouteFlags & DeadlineFlag,
): Promise<void> {
  const of = placeWords(hostname, path);
  const done = await session.client.setBackendState({
    ...{ hostname, listenerAddr, path, addr, state },
    ...deadline !== undefined && { deadline: durationFromMs(deadline) },
  });
  session.answer(SetBackendStateResponseSchema, done, ({ liveConnections, closedConnections }) => [
    `backend ${addr} of ${of} ${DONE[state]}${endWords(liveConnections, closedConnections)}`,
  ]);
}

/** A route, or one of its paths. */
function placeWords(hostname: string, path: string): string {
  return path === "" ? hostname : `${hostname} (${path})`;
}

/** What becomes of connections that are open. */
function endWords(live: number, closed: number): string {
  if (live === 0) return "";
  const words = `; ${count(live, "live connection")}`;
  return closed === 0 ? `${words} go on` : `${words} cut, now or at the deadline`;
}
