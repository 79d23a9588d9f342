import { durationMs, timestampFromMs } from "@bufbuild/protobuf/wkt";
import { type mcns } from "../admin/gen/mod.ts";
import { nameToText } from "../dns/mod.ts";
import {
  canonical,
  type Done,
  readZoneName,
  type RecordInput,
  type RecordView,
  type SecondaryView,
  type TokenView,
  type ZoneView,
} from "../dns_control/mod.ts";
import { describeError } from "../observe/mod.ts";
import { invalid, missing, RefusedError } from "../queue/mod.ts";
import type { Handlers } from "../rpc_server/mod.ts";
import { forbidden } from "./auth.ts";
import { changeHandlers } from "./change_handlers.ts";
import { Gate, operationOf, type RpcOptions } from "./gate.ts";
import { recursionOf } from "./recursion_words.ts";

const MAX_PAGE = 10_000;
const PAGE = 1000;
const MAX_AUDIT = 1000;
const AUDIT_PAGE = 100;

/** The methods of `mcns.v1.ZoneService`. */
export function rpcHandlers(options: RpcOptions): Handlers<typeof mcns.ZoneService> {
  const gate = new Gate(options);
  return {
    ...zoneHandlers(options, gate),
    ...recordHandlers(options, gate),
    ...otherHandlers(options, gate),
    ...tokenHandlers(options, gate),
    ...changeHandlers(options, gate),
  };
}

type Some<K extends keyof Handlers<typeof mcns.ZoneService>> = Pick<
  Handlers<typeof mcns.ZoneService>,
  K
>;

function zoneHandlers({ control }: RpcOptions, gate: Gate): Some<
  | "listZones"
  | "getZone"
  | "createZone"
  | "removeZone"
  | "refreshZone"
  | "importZone"
  | "exportZone"
> {
  return {
    async listZones(_, call) {
      const { access } = await gate.caller(call);
      const zones = control.listZones()
        .filter(({ name }) => access.may("read", canonical(name) ?? name));
      return { zones: zones.map(zoneMessage) };
    },
    async getZone({ zone: text }, call) {
      const { zone } = await gate.zone(call, text, "read");
      return { zone: zoneMessage(control.zone(zone)) };
    },
    async createZone({ zone, nameServers, mailbox, ttl }, call) {
      const caller = await gate.admin(call);
      const wanted = { nameServers, ttl, ...mailbox !== "" && { mailbox } };
      const operation = operationOf(caller, "CreateZone", call);
      const done = await control.zones.create(readZoneName(zone), wanted, operation);
      return { done: doneMessage(done) };
    },
    async removeZone({ zone, ifVersion }, call) {
      const caller = await gate.admin(call);
      const operation = operationOf(caller, "RemoveZone", { ...call, ifVersion });
      const { pendingWorkers } = await control.zones.remove(readZoneName(zone), operation);
      return { pendingWorkers: [...pendingWorkers] };
    },
    async refreshZone({ zone: text, whole: isWhole }, call) {
      const { zone } = await gate.zone(call, text, "write");
      await control.secondaries.refresh(zone, { isWhole });
      return { zone: zoneMessage(control.zone(zone)) };
    },
    async importZone({ zone: text, file, ifVersion }, call) {
      const { caller, zone } = await gate.zone(call, text, "write");
      if (!control.has(zone) && !caller.access.isAdmin) {
        throw missing(`the zone ${nameToText(zone)}`);
      }
      const operation = operationOf(caller, "ImportZone", { ...call, ifVersion });
      const done = await control.zones.import(zone, file, operation);
      return {
        records: BigInt(done.records),
        added: BigInt(done.added),
        removed: BigInt(done.removed),
        changed: BigInt(done.changed),
        created: done.isNew,
        done: doneMessage(done),
      };
    },
    async *exportZone({ zone: text }, call) {
      const { zone } = await gate.zone(call, text, "read");
      for await (const lines of control.zones.export(zone)) yield { lines };
    },
  };
}

function recordHandlers({ control }: RpcOptions, gate: Gate): Some<
  | "listRecords"
  | "getRecord"
  | "addRecord"
  | "replaceRecord"
  | "removeRecord"
  | "replaceSet"
  | "removeSet"
> {
  const { records } = control;
  return {
    async listRecords({ zone: text, name, type, limit, after }, call) {
      const { zone } = await gate.zone(call, text, "read");
      if (limit > MAX_PAGE) throw invalid("limit", `over ${MAX_PAGE}`);
      const most = limit || PAGE;
      const found = control.listRecords(zone, {
        ...{ name: name || undefined, type: type || undefined },
        ...{ afterId: numberOf(after, "after"), limit: most + 1 },
      });
      const { serial, version } = control.zone(zone);
      const shown = found.slice(0, most);
      const next = found.length > most ? BigInt(shown.at(-1)?.id ?? 0) : 0n;
      return { records: shown.map(recordMessage), serial, version, next };
    },
    async getRecord({ zone: text, id }, call) {
      const { zone } = await gate.zone(call, text, "read");
      return { record: recordMessage(control.record(zone, numberOf(id, "id"))) };
    },
    async addRecord({ zone: text, record, ifVersion }, call) {
      const { caller, zone } = await gate.zone(call, text, "write");
      const operation = operationOf(caller, "AddRecord", { ...call, ifVersion });
      const { record: added, ...done } = await records.add(zone, inputOf(record), operation);
      return { record: recordMessage(added), done: doneMessage(done) };
    },
    async replaceRecord({ zone: text, id, record, ifVersion }, call) {
      const { caller, zone } = await gate.zone(call, text, "write");
      const operation = operationOf(caller, "ReplaceRecord", { ...call, ifVersion });
      const { record: now, ...done } = await records
        .replace(zone, numberOf(id, "id"), inputOf(record), operation);
      return { record: recordMessage(now), done: doneMessage(done) };
    },
    async removeRecord({ zone: text, id, ifVersion }, call) {
      const { caller, zone } = await gate.zone(call, text, "write");
      const operation = operationOf(caller, "RemoveRecord", { ...call, ifVersion });
      return { done: doneMessage(await records.remove(zone, numberOf(id, "id"), operation)) };
    },
    async replaceSet({ zone: text, name, type, values, ttl, ifVersion }, call) {
      const { caller, zone } = await gate.zone(call, text, "write");
      const operation = operationOf(caller, "ReplaceSet", { ...call, ifVersion });
      const { records: now, ...done } = await records
        .replaceSet(zone, { name, type }, { values, ttl }, operation);
      return { records: now.map(recordMessage), done: doneMessage(done) };
    },
    async removeSet({ zone: text, name, type, ifVersion }, call) {
      const { caller, zone } = await gate.zone(call, text, "write");
      const operation = operationOf(caller, "RemoveSet", { ...call, ifVersion });
      return { done: doneMessage(await records.removeSet(zone, { name, type }, operation)) };
    },
  };
}

function otherHandlers(
  { control, version, problem = () => "", recursion, addresses = () => [], reload }: RpcOptions,
  gate: Gate,
): Some<"explain" | "getStatus" | "listAudit" | "writeBack" | "reload"> {
  return {
    async explain({ name, type, from }, call) {
      const { access } = await gate.caller(call);
      const { zone = "", outside, ...explained } = control.explain({ name, type });
      if (zone !== "" && !access.may("read", canonical(zone) ?? zone)) throw forbidden();
      const { verdict, steps, records } = explained;
      const said = from === ""
        ? ""
        : recursionOf({ outside, verdict }, () => recursion?.(from)) ?? "";
      return { verdict, zone, steps: [...steps], records: [...records], recursion: said };
    },
    async getStatus(_, call) {
      await gate.caller(call);
      const { zones, records, revision } = control.counts;
      return {
        version,
        ...{ zones: BigInt(zones), records: BigInt(records), revision: BigInt(revision) },
        problem: control.problem || problem(),
        addresses: addresses().map(({ counters, ...rest }) => ({
          ...rest,
          counters: counters.map(({ name, value }) => ({ name, value: BigInt(value) })),
        })),
      };
    },
    async listAudit({ limit, before }, call) {
      await gate.admin(call);
      if (limit > MAX_AUDIT) throw invalid("limit", `over ${MAX_AUDIT}`);
      const beforeId = before === 0n ? undefined : numberOf(before, "before");
      const entries = control.audit({ limit: limit || AUDIT_PAGE, beforeId });
      return {
        entries: entries.map(({ id, time, ...entry }) => {
          return { id: BigInt(id), time: timestampFromMs(time), ...entry };
        }),
      };
    },
    async reload(_, call) {
      await gate.admin(call);
      try {
        return { warnings: [...await reload?.() ?? []] };
      } catch (cause) {
        throw new RefusedError("failed_precondition", describeError(cause), { cause });
      }
    },
    async writeBack(_, call) {
      await gate.admin(call);
      return { aside: (await control.writeBack(call.signal)).aside ?? "" };
    },
  };
}

function tokenHandlers({ control: { tokens } }: RpcOptions, gate: Gate): Some<
  "listTokens" | "createToken" | "removeToken"
> {
  return {
    async listTokens(_, call) {
      await gate.admin(call);
      return { tokens: tokens.list().map(tokenMessage) };
    },
    async createToken({ name, scopes, ttl }, call) {
      const caller = await gate.admin(call);
      const wanted = { name, scopes, ...ttl !== undefined && { ttlMs: durationMs(ttl) } };
      const { secret, token } = await tokens.add(wanted, operationOf(caller, "CreateToken", call));
      return { secret, token: tokenMessage(token) };
    },
    async removeToken({ name }, call) {
      const caller = await gate.admin(call);
      await tokens.remove(name, operationOf(caller, "RemoveToken", call));
      return {};
    },
  };
}

function zoneMessage({ records, problem = "", secondary, ...zone }: ZoneView) {
  const message = { ...zone, records: BigInt(records), problem };
  return secondary === undefined ? message : { ...message, secondary: secondaryMessage(secondary) };
}

function secondaryMessage(
  { primaries, primary, isExpired, failures, lastError, ...times }: SecondaryView,
) {
  const { refreshedAt, expiresAt, nextAt } = times;
  return {
    ...{ primaries: [...primaries], primary, expired: isExpired, failures, lastError },
    ...refreshedAt !== undefined && { refreshedAt: timestampFromMs(refreshedAt) },
    ...expiresAt !== undefined && { expiresAt: timestampFromMs(expiresAt) },
    ...nextAt !== undefined && { nextAt: timestampFromMs(nextAt) },
  };
}

function recordMessage({ id, ...record }: RecordView) {
  return { id: BigInt(id), ...record };
}

function doneMessage({ serial, version, pendingWorkers }: Done) {
  return { serial, version, pendingWorkers: [...pendingWorkers] };
}

function tokenMessage({ name, scopes, createdAt, expiresAt }: TokenView) {
  const end = expiresAt === undefined ? {} : { expiresAt: timestampFromMs(expiresAt) };
  return { name, scopes: [...scopes], createdAt: timestampFromMs(createdAt), ...end };
}

function inputOf(record: RecordInput | undefined): RecordInput {
  if (record === undefined) throw invalid("record", "is missing");
  return record;
}

function numberOf(value: bigint, field: string): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw invalid(field, "too large");
  return Number(value);
}
