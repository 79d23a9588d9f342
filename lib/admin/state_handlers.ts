import { durationMs } from "@bufbuild/protobuf/wkt";
import type { Handlers } from "../rpc_server/mod.ts";
import { runAtOnce, runInSlices } from "../slices/mod.ts";
import { type Applied, type Difference, invalid, RefusedError } from "../control/mod.ts";
import type { StoredRule } from "../db/mod.ts";
import { stateToMessageInSteps } from "../messages/mod.ts";
import { type AdminContext, operation } from "./context.ts";
import { askHistory, fromReplayed } from "./history_handlers.ts";
import { toSnapshotError } from "./errors.ts";
import type { ProxyAdminService } from "./gen/mod.ts";
import { fromAuditEntry, fromDifference, fromRule, toState } from "./messages.ts";

type StateMethods =
  | "exportState"
  | "apply"
  | "reload"
  | "getAuditLog"
  | "snapshot"
  | "writeBack";

const DEFAULT_AUDIT_ENTRIES = 100;
const MAX_AUDIT_ENTRIES = 1000;
/** Differences that an answer names; of more it says how many there are. */
const MAX_DIFFERENCES = 10_000;

/** The state as a whole, its history and its copies. */
export function stateHandlers(
  context: AdminContext,
): Pick<Handlers<typeof ProxyAdminService>, StateMethods> {
  const { state, wholeState } = context.control;
  return {
    exportState(_request, { signal }) {
      return exportState(context, signal);
    },
    async apply(request, call) {
      const { state: desired, dryRun, ifRevision, closeConnections: close, replay } = request;
      const { ifZoneVersions } = request;
      if (desired === undefined) throw invalid("state", "is missing");
      const options = {
        dryRun,
        ifRevision: ifRevision === 0n ? undefined : Number(ifRevision),
        close,
        ifZoneVersions: ifZoneVersions.map(({ zone, version }) => ({ zone, version })),
      };
      const by = operation("Apply", context, call);
      const wanted = await toState(desired, call.signal);
      if (replay !== undefined && !dryRun) throw invalid("replay", "needs dry_run");
      const applied = await wholeState.apply(wanted, options, by);
      const { differences, live, revision, closed, zoneVersions = [] } = applied;
      return {
        ...fromDifferences(differences, live),
        revision: BigInt(revision),
        closedConnections: closed,
        pendingWorkers: by.pendingWorkers,
        zoneVersions: [...zoneVersions],
        recordsPending: applied.recordsPending ?? false,
        ...replay && {
          replay: fromReplayed(
            await askHistory(context.control.replay.ofState(wanted, durationMs(replay))),
          ),
        },
      };
    },
    async reload({ dryRun, closeConnections: close, ifRevision }, { signal }) {
      if (context.reload === undefined) {
        throw new RefusedError("failed_precondition", "there is no file to read again");
      }
      const pendingWorkers: number[] = [];
      const { source, applied, refusals, restartNeeded } = await context.reload({
        ...{ dryRun, close, signal },
        onPending: (workers) => pendingWorkers.push(...workers),
        ifRevision: ifRevision === 0n ? undefined : Number(ifRevision),
      });
      return {
        stateSource: source.kind,
        statePath: source.path,
        ...applied && fromDifferences(applied.differences, applied.live),
        closedConnections: applied?.closed ?? 0,
        refused: [...refusals],
        restartNeeded: [...restartNeeded],
        pendingWorkers,
        revision: BigInt(applied?.revision ?? state.database.revision),
      };
    },
    getAuditLog({ limit, beforeId }) {
      if (limit > MAX_AUDIT_ENTRIES) throw invalid("limit", `not in 0–${MAX_AUDIT_ENTRIES}`);
      const entries = state.database.audit.list({
        limit: limit === 0 ? DEFAULT_AUDIT_ENTRIES : limit,
        beforeId: beforeId === 0n ? undefined : Number(beforeId),
      });
      return { entries: entries.map(fromAuditEntry) };
    },
    async snapshot({ path, overwrite }) {
      if (path === "") throw invalid("path", "is missing");
      try {
        const { size } = await state.database.snapshot(path, { overwrite });
        return { size: BigInt(size) };
      } catch (error) {
        throw toSnapshotError(error);
      }
    },
    async writeBack(_request, { signal }) {
      const { path, size, aside, revision } = await context.control.database.writeBack(signal);
      return { path, size: BigInt(size), aside, revision: BigInt(revision) };
    },
  };
}

function fromDifferences(differences: readonly Difference[], live: Applied["live"]) {
  const named = differences.slice(0, MAX_DIFFERENCES);
  return {
    differences: named.map((it) => fromDifference(it, live(it))),
    totalDifferences: differences.length,
  };
}

/**
 * A large state takes seconds to read and to put into a message, in which others have their turns: it
 * is read from the database as it was when this began.
 */
async function exportState(
  { control: { state, firewall, totals } }: AdminContext,
  signal: AbortSignal,
) {
  const { rateLimit } = firewall;
  using frozen = state.database.frozen();
  const { revision, ...stored } = frozen === undefined
    ? runAtOnce(state.database.stateInSteps())
    : await runInSlices(frozen.stateInSteps(), { signal });
  const message = stateToMessageInSteps(
    { ...stored, rateLimit },
    // With what the proxy has counted.
    (rule: StoredRule) => fromRule(totals.withHits(rule)),
  );
  return { state: await runInSlices(message, { signal }), revision: BigInt(revision) };
}
