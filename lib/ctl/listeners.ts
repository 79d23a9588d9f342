import { durationFromMs } from "@bufbuild/protobuf/wkt";
import {
  AddListenerRequestSchema,
  AddListenerResponseSchema,
  ListenerSchema,
  ListListenersResponseSchema,
  RemoveListenerResponseSchema,
  UpdateListenerResponseSchema,
} from "../admin/gen/mod.ts";
import { toMessage } from "../messages/mod.ts";
import { LISTENER } from "../state/mod.ts";
import { fieldsOf, type FlagValues, formatBytes, yesNo } from "../terminal/mod.ts";
import { count, liveWords, type Session } from "./session.ts";
import { changedFields } from "./update.ts";

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
  const { changes, updateMask } = changedFields(LISTENER.shape, flags);
  const done = await session.client.updateListener({
    listener: toMessage(LISTENER.shape, ListenerSchema, { ...changes, addr }),
    updateMask,
  });
  session.answer(UpdateListenerResponseSchema, done, ({ listener }) => [
    `updated listener ${listener?.addr}, for new connections`,
  ]);
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
