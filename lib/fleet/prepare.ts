import { LONG_DEADLINE_MS, type Row } from "./connection.ts";
import { FleetLinkError, noFleet } from "./link_error.ts";
import { FLEET_VERSION } from "./schema.ts";
import { APPLY, creationOf, HAS_FLEET, VERSION } from "./statements.ts";

/** How {@link prepareTables} asks. */
export interface PrepareOptions {
  readonly ask: (statement: string, deadlineMs?: number) => Promise<readonly Row[]>;
  readonly group: string;
  readonly user: string;
}

/** What is there to work with. */
export interface PreparedTables {
  readonly version: number;
  /** What does not work, and how to mend it; absent: everything does. */
  readonly problem: string | undefined;
}

/**
 * The tables and the group, made where they are missing, and brought up to date, where the role may.
 * Older tables that it may not touch serve as they are, and newer ones anyway: what proxies call stays
 * what it was.
 *
 * @throws {FleetLinkError}
 */
export async function prepareTables(
  { ask, group, user }: PrepareOptions,
): Promise<PreparedTables> {
  try {
    const [found] = await ask(HAS_FLEET);
    if (found?.ok === true) return await bringUpToDate(ask);
    await ask(creationOf({ group, user }), LONG_DEADLINE_MS);
    return { version: FLEET_VERSION, problem: undefined };
  } catch (cause) {
    if (cause instanceof FleetLinkError && cause.isUncertain) throw cause;
    throw noFleet({ group, user }, cause);
  }
}

async function bringUpToDate(ask: PrepareOptions["ask"]): Promise<PreparedTables> {
  const [row] = await ask(VERSION);
  const version = Number(row?.version);
  if (version >= FLEET_VERSION) return { version, problem: undefined };
  try {
    await ask(APPLY, LONG_DEADLINE_MS);
    return { version: FLEET_VERSION, problem: undefined };
  } catch (error) {
    if (!(error instanceof FleetLinkError) || error.isUncertain) throw error;
    return {
      version,
      problem: `the fleet's tables in PostgreSQL are of version ${version}, and what came with ` +
        `version ${FLEET_VERSION} does not work with them: apply this version's ` +
        `deploy/postgres/fleet.sql as their owner (this role may not: ${error.message})`,
    };
  }
}
