import type { ReadFile } from "../certificates/mod.ts";
import type { Plane } from "../plane/mod.ts";
import { countsRequests } from "./auto_bans.ts";
import { refuseSharedPorts } from "./binding.ts";
import type { ControlOptions } from "./control_options.ts";
import { removeExpiredRules } from "./expiry.ts";
import { firstState } from "./first_state.ts";
import { IssuanceStore } from "./issuance_store.ts";
import { compileStartUp, type StartUp } from "./start_up.ts";
import { Tap } from "./tap.ts";

/** A data plane that serves what the database holds, or what it will hold. */
export interface StartedPlane {
  readonly startUp: StartUp;
  readonly plane: Plane;
  /** Where what connections leave behind passes by. */
  readonly tap: Tap;
  /** Whether the database is still to be written, with these rows. */
  readonly isPending: boolean;
}

/** {@link ControlOptions} with nothing left open. */
export type StartOptions = ControlOptions & {
  readonly readFile: ReadFile;
  readonly now: () => number;
};

/**
 * Compiles the first snapshot and starts the data plane; resolves when every listener is bound.
 *
 * @throws {ControlError} if there is nothing to serve, a country rule cannot be applied, or a port
 * is in use.
 * @throws {Error} if a listener cannot be bound.
 */
export async function startPlane(options: StartOptions): Promise<StartedPlane> {
  const { database, config, log, onEvent, onRequest, readFile, now, admission } = options;
  removeExpiredRules(database, now());
  const { rows, isPending } = await firstState(database, {
    config,
    joined: options.fleet?.joined,
    now: now(),
  });
  const isKept = config.acme !== undefined || options.fleet?.sealer !== undefined;
  const issued = isKept ? new IssuanceStore(database) : undefined;
  const startUp = await compileStartUp({ ...options, rows, readFile, now, issued });
  database.safekeeping?.acknowledge();
  if (options.takeOver !== true) {
    const { isInherited = () => false } = options;
    await refuseSharedPorts(startUp.snapshot.listeners.filter((it) => !isInherited(it)));
  }
  const { l7, bans } = config;
  // Refused requests come also without an access log, for those who count them.
  const tap = new Tap({ onEvent, onRequest: l7.accessLog ? onRequest : undefined });
  const wantsRequests = onRequest !== undefined || countsRequests(bans);
  const plane = await options.startPlane(startUp.snapshot, {
    onEvent: tap.onEvent,
    log,
    ...wantsRequests && { onRequest: tap.onRequest },
    ...admission && { admission },
  });
  return { startUp, plane, tap, isPending };
}
