import type { OutputPool } from "../h2/mod.ts";
import type { Turns } from "../http_io/mod.ts";
import type { DownstreamCodec, DownstreamConnection } from "./downstream_connection.ts";
import { H1Downstream } from "./h1_downstream.ts";
import { H2Downstream } from "./h2_downstream.ts";
import type { EngineLimits } from "./http_limits.ts";
import type { ResetBudgets } from "./reset_budgets.ts";
import type { L7Session } from "./session.ts";
import type { Termination } from "./terminate.ts";

/** What the codecs of one worker share. */
export interface DownstreamMeans {
  readonly pool: OutputPool;
  readonly limits: EngineLimits;
  readonly turns: Turns;
  readonly resets: ResetBudgets;
  readonly now: () => number;
}

/** The HTTP that the client has chosen, over a handshake that is done; its ends are the session's. */
export function openDownstream(
  { stream, alpn }: Extract<Termination, { ok: true }>,
  { client, session }: { readonly client: DownstreamConnection; readonly session: L7Session },
  { pool, limits, turns, resets, now }: DownstreamMeans,
): DownstreamCodec {
  if (alpn !== "h2") {
    return new H1Downstream(stream, client, {
      pool,
      limits: limits.h1Downstream,
      turns,
      now,
      onGone: (error) => session.gone(error),
      onCrash: (error) => session.fail(error),
      onClose: ({ by, reason, abrupt }) => {
        session.closing(by === "owner" ? undefined : reason);
        if (abrupt) session.reset();
      },
    });
  }
  return new H2Downstream(stream, client, {
    pool,
    limits: limits.h2Downstream,
    turns,
    resets: resets.of(client.connection.client.ip),
    now,
    onGone: (error) => session.gone(error),
    onCrash: (error) => session.fail(error),
    onClose: (cause) => session.closing(cause.by === "rules" ? cause.reason : undefined),
    onRefusal: ({ reason }) => session.refused(reason),
  });
}
