import type { Drain } from "./bulletin.ts";
import type { Row } from "./connection.ts";

/** What a proxy says of itself. */
export interface Report {
  readonly version: string;
  readonly epoch: number;
  readonly revision: number;
  /** Empty: it is well. */
  readonly health: string;
  readonly uptimeMs: number;
}

/** A proxy as the others see it. Times are milliseconds since 1970, by PostgreSQL's clock. */
export interface Member extends Omit<Report, "uptimeMs"> {
  readonly proxy: string;
  readonly startedAt: number;
  /** How long ago it has said so. */
  readonly silentMs: number;
  /** JSON, as {@link FleetLink.exchange} was given it; empty: nothing is known. */
  readonly status: string;
  /** Absent: it is to serve. */
  readonly drain?: Drain;
}

/** A row of what all members have said. */
export function memberOf(row: Row): Member {
  const { drainSince, drainActor, drainProxy, status, ...said } = row;
  return {
    ...said as unknown as Member,
    status: typeof status === "string" ? status : "",
    ...typeof drainSince === "number" && {
      drain: {
        since: Math.round(drainSince),
        actor: String(drainActor),
        proxy: String(drainProxy),
      },
    },
  };
}
