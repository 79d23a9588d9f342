import type { ChangeRequest, DnsControl, WaitingChange } from "../dns_control/mod.ts";
import { canonical } from "../dns_control/mod.ts";
import { type Caller, forbidden } from "./auth.ts";
import type { Route } from "./route.ts";
import * as schema from "./schemas.ts";

interface ChangeInput {
  readonly id: string;
  readonly coordinator: string;
  readonly sets: ChangeRequest["sets"];
  readonly "if_versions"?: ChangeRequest["ifVersions"];
  readonly "dry_run"?: boolean;
}

/** Changes in step with another program's (two-phase commit). */
export function changeRoutes({ control: { prepared } }: {
  readonly control: DnsControl;
}): readonly Route[] {
  const path = "/v1/changes";
  const one = `${path}/{id}`;
  return [
    {
      ...{ method: "GET", path, id: "ListPreparedChanges", needs: "any" },
      summary:
        "The changes that wait for a decision, the oldest first; those of the token's zones.",
      output: schema.WAITING_CHANGES,
      handle: ({ caller }) => ({
        json: {
          changes: prepared.list().filter(({ zones }) => mayChange(caller, zones)).map(shown),
        },
      }),
    },
    {
      ...{ method: "POST", path, id: "PrepareChange", needs: "any" },
      summary:
        "Keeps a change of sets, and its zones for it, until it is made or given up. Asked " +
        "again with the same id and sets it answers the same.",
      input: schema.NEW_CHANGE,
      output: schema.CHANGE,
      handle: async ({ input, caller, operation }) => {
        const { "if_versions": ifVersions, "dry_run": dryRun, ...rest } = input as ChangeInput;
        refuseUnlessMayChange(caller, rest.sets.map(({ zone }) => zone));
        const request = { ...rest, ifVersions, dryRun };
        return { json: changeJson(await prepared.prepare(request, operation("PrepareChange"))) };
      },
    },
    {
      ...{ method: "POST", path: `${one}/commit`, id: "CommitChange", needs: "any" },
      summary: "Makes a prepared change. Asked again it changes nothing.",
      output: schema.CHANGE,
      handle: async ({ path: { id = "" }, caller, operation }) => {
        refuseUnlessMayChange(caller, prepared.zonesOf(id));
        return { json: changeJson(await prepared.commit(id, operation("CommitChange"))) };
      },
    },
    {
      ...{ method: "DELETE", path: one, id: "AbortChange", needs: "any", status: 204 },
      summary: "Gives a prepared change up; one that nobody knows is given up already.",
      handle: async ({ path: { id = "" }, caller, operation }) => {
        refuseUnlessMayChange(caller, prepared.zonesOf(id));
        await prepared.abort(id, operation("AbortChange"));
        return {};
      },
    },
  ];
}

/** Whether somebody may write to all of these zones. */
export function mayChange({ access }: Caller, zones: readonly string[]): boolean {
  return zones.every((zone) => access.may("write", canonical(zone) ?? zone));
}

/** @throws {AuthError} */
export function refuseUnlessMayChange(caller: Caller, zones: readonly string[]): void {
  if (!mayChange(caller, zones)) throw forbidden();
}

function changeJson(
  { pendingWorkers, ...rest }: Awaited<ReturnType<DnsControl["prepared"]["prepare"]>>,
) {
  return { ...rest, pending_workers: pendingWorkers };
}

function shown({ preparedAt, ...rest }: WaitingChange) {
  return { ...rest, prepared_at: new Date(preparedAt).toISOString() };
}
