import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { mcns } from "../admin/gen/mod.ts";
import type { ChangeView, DnsControl } from "../dns_control/mod.ts";
import type { Handlers } from "../rpc_server/mod.ts";
import { mayChange, refuseUnlessMayChange } from "./change_routes.ts";
import { type Gate, operationOf } from "./gate.ts";

/** Changes in step with another program's (two-phase commit). */
export function changeHandlers(
  { control: { prepared } }: { readonly control: DnsControl },
  gate: Gate,
): Pick<
  Handlers<typeof mcns.ZoneService>,
  "prepareChange" | "commitChange" | "abortChange" | "listPreparedChanges"
> {
  return {
    async prepareChange({ id, coordinator, sets, ifVersions, dryRun }, call) {
      const caller = await gate.caller(call);
      refuseUnlessMayChange(caller, sets.map(({ zone }) => zone));
      const operation = operationOf(caller, "PrepareChange", call);
      const request = { id, coordinator, sets, ifVersions, dryRun };
      return { change: changeMessage(await prepared.prepare(request, operation)) };
    },
    async commitChange({ id }, call) {
      const caller = await gate.caller(call);
      refuseUnlessMayChange(caller, prepared.zonesOf(id));
      const operation = operationOf(caller, "CommitChange", call);
      return { change: changeMessage(await prepared.commit(id, operation)) };
    },
    async abortChange({ id }, call) {
      const caller = await gate.caller(call);
      refuseUnlessMayChange(caller, prepared.zonesOf(id));
      await prepared.abort(id, operationOf(caller, "AbortChange", call));
      return {};
    },
    async listPreparedChanges(_, call) {
      const caller = await gate.caller(call);
      const changes = prepared.list().filter(({ zones }) => mayChange(caller, zones));
      return {
        changes: changes.map(({ preparedAt, zones, ...rest }) => {
          return { ...rest, zones: [...zones], preparedAt: timestampFromMs(preparedAt) };
        }),
      };
    },
  };
}

function changeMessage({ id, state, sets, versions, pendingWorkers }: ChangeView) {
  return {
    ...{ id, state, versions: [...versions], pendingWorkers: [...pendingWorkers] },
    sets: sets.map(({ zone, name, type, before, after }) => ({
      ...{ zone, name, type, ttlBefore: before.ttl, before: [...before.values] },
      ...{ ttlAfter: after.ttl, after: [...after.values] },
    })),
  };
}
