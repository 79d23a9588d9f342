import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs, timestampFromMs } from "@bufbuild/protobuf/wkt";
import { parseHostPattern } from "../addr/mod.ts";
import { invalid, RefusedError, type Replayed, type ReplayedClient } from "../control/mod.ts";
import { HistoryError, type HistoryQuery, type KeptConnection } from "../history/mod.ts";
import { isRefusal, OUTCOMES } from "../observe/mod.ts";
import type { Handlers } from "../rpc_server/mod.ts";
import { parseIpOrCidr } from "../state/mod.ts";
import type { AdminContext } from "./context.ts";
import type {
  PastConnectionSchema,
  ProxyAdminService,
  QueryHistoryRequest,
  ReplayedClientSchema,
  ReplaySchema,
} from "./gen/mod.ts";
import { optionalMs } from "./messages.ts";

const DAY_MS = 24 * 3_600_000;
const MAX_SPAN_MS = 3650 * DAY_MS;
const DEFAULT_LIMIT = 100;
const MAX_LIMIT = 10_000;

/** Connections of the past. */
export function historyHandlers(
  { control }: AdminContext,
): Pick<Handlers<typeof ProxyAdminService>, "queryHistory"> {
  return {
    async queryHistory(request) {
      const { history } = control;
      if (history === undefined) {
        throw new RefusedError(
          "failed_precondition",
          "nothing is kept: [history] is not configured",
        );
      }
      const { connections, oldestMs } = await askHistory(history.find(queryOf(request)));
      return {
        connections: connections.map(fromPast),
        ...oldestMs !== undefined && { oldest: timestampFromMs(oldestMs) },
      };
    },
  };
}

/**
 * An answer of the history, with its failures as what they are to a caller.
 *
 * @throws {RefusedError}
 */
export async function askHistory<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (cause) {
    if (!(cause instanceof HistoryError)) throw cause;
    throw new RefusedError("failed_precondition", `the history: ${cause.message}`, { cause });
  }
}

function queryOf(request: QueryHistoryRequest): HistoryQuery {
  const { client, sni, outcome, limit, beforeId } = request;
  const spanMs = optionalMs(request.since) ?? DAY_MS;
  if (spanMs < 1 || spanMs > MAX_SPAN_MS) throw invalid("since", "not in 1 ms–10 years");
  if (limit > MAX_LIMIT) throw invalid("limit", `not in 0–${MAX_LIMIT}`);
  const block = client === "" ? undefined : parseIpOrCidr(client);
  if (block?.ok === false) throw invalid("client", block.reason);
  const name = sni === "" ? undefined : parseHostPattern(sni);
  if (name?.ok === false) throw invalid("sni", name.reason);
  return {
    sinceMs: Date.now() - spanMs,
    limit: limit === 0 ? DEFAULT_LIMIT : limit,
    ...block?.ok && { client: block.value },
    ...name?.ok && { sni: canonical(sni) },
    ...outcome !== "" && { outcomes: outcomesOf(outcome) },
    ...beforeId !== 0n && { beforeId: Number(beforeId) },
  };
}

/** As names are kept. */
function canonical(pattern: string): string {
  return pattern.toLowerCase().replace(/\.$/, "");
}

function outcomesOf(text: string): readonly string[] {
  if (text === "refused") return OUTCOMES.filter(isRefusal);
  if (OUTCOMES.some((it) => it === text)) return [text];
  throw invalid("outcome", `not "refused" or one of ${OUTCOMES.join(", ")}`);
}

function fromPast(past: KeptConnection): MessageInitShape<typeof PastConnectionSchema> {
  const { id, time, listener, bytesIn, bytesOut, durationMs, count, ...texts } = past;
  return {
    ...texts,
    id: BigInt(id),
    time: timestampFromMs(time),
    listenerAddr: listener,
    bytesIn: BigInt(bytesIn),
    bytesOut: BigInt(bytesOut),
    duration: durationFromMs(durationMs),
    count: BigInt(count),
  };
}

/** What a change would have meant, as a message. */
export function fromReplayed(replayed: Replayed): MessageInitShape<typeof ReplaySchema> {
  const { sinceMs, refused, admitted, ...counts } = replayed;
  return {
    ...counts,
    since: timestampFromMs(sinceMs),
    refused: refused.map(fromReplayedClient),
    admitted: admitted.map(fromReplayedClient),
  };
}

function fromReplayedClient(
  { connections, served, lastMs, ...texts }: ReplayedClient,
): MessageInitShape<typeof ReplayedClientSchema> {
  return {
    ...texts,
    connections: BigInt(connections),
    served: BigInt(served),
    last: timestampFromMs(lastMs),
  };
}
