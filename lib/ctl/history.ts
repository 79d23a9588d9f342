import { durationFromMs, type Timestamp, timestampMs } from "@bufbuild/protobuf/wkt";
import {
  type PastConnection,
  QueryHistoryResponseSchema,
  type Replay,
  type ReplayedClient,
} from "../admin/gen/mod.ts";
import { formatBytes, formatCount, formatTime } from "../terminal/mod.ts";
import { count, type Session } from "./session.ts";

/** What the flags of `history` say. */
export interface HistoryFlags {
  readonly client?: string;
  readonly sni?: string;
  readonly outcome?: string;
  readonly since: number;
  readonly limit: number;
}

/** `history`: how connections of the past ended, and why. */
export async function showHistory(session: Session, flags: HistoryFlags): Promise<void> {
  const { client = "", sni = "", outcome = "", since, limit } = flags;
  const found = await session.client.queryHistory({
    client,
    sni,
    outcome,
    since: durationFromMs(since),
    limit,
  });
  session.answer(QueryHistoryResponseSchema, found, ({ connections, oldest }) => [
    ...session.table(connections, [
      { title: "TIME", value: ({ time }) => timeOf(time) },
      { title: "CLIENT", value: (it) => it.client },
      { title: "LISTENER", value: ({ listenerAddr }) => listenerAddr },
      { title: "NAME", value: (it) => it.sni || "—" },
      { title: "OUTCOME", value: (it) => it.outcome },
      { title: "TIMES", value: (it) => `${it.count}`, right: true },
      { title: "IN", value: ({ bytesIn }) => formatBytes(bytesIn), right: true },
      { title: "OUT", value: ({ bytesOut }) => formatBytes(bytesOut), right: true },
      { title: "WHY", value: whyOf },
    ], "no connections"),
    ...reachLines(oldest, since),
    ...connections.length === limit ? [`the latest ${limit}; --limit shows more`] : [],
  ]);
}

function whyOf({ rule, reason, backend }: PastConnection): string {
  return rule || reason || (backend === "" ? "—" : `to ${backend}`);
}

/** Whoever finds nothing has to know whether there was nothing. */
function reachLines(oldest: Timestamp | undefined, since: number): string[] {
  if (oldest === undefined) return ["nothing is kept yet"];
  return timestampMs(oldest) > Date.now() - since ? [`kept since ${timeOf(oldest)}`] : [];
}

/** Whom a change would have refused and let in. */
export function replayLines(replay: Replay | undefined, session: Session): string[] {
  if (replay === undefined) return [];
  const { since, clients, refused, refusedClients, admitted, admittedClients } = replay;
  const after = `of ${count(clients, "client")} since ${timeOf(since)}`;
  if (clients === 0) return [`nobody came since ${timeOf(since)}, as far as is kept`];
  return [
    `${after}, ${refusedClients} would have been refused and ${admittedClients} let in`,
    ...affectedLines("REFUSED", refused, session),
    ...affectedLines("LET IN", admitted, session),
  ];
}

function affectedLines(
  title: string,
  clients: readonly ReplayedClient[],
  session: Session,
): readonly string[] {
  if (clients.length === 0) return [];
  return [
    "",
    ...session.table(clients, [
      { title, value: ({ client }) => client },
      { title: "CONNECTIONS", value: (it) => formatCount(it.connections), right: true },
      { title: "SERVED", value: ({ served }) => formatCount(served), right: true },
      { title: "LAST", value: ({ last }) => timeOf(last) },
      { title: "NAME", value: ({ sni }) => sni || "—" },
      { title: "BY", value: ({ why }) => why },
    ], ""),
  ];
}

function timeOf(time: Timestamp | undefined): string {
  return time === undefined ? "—" : formatTime(timestampMs(time));
}
