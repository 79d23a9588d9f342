import { endpointsOverlap, parseListenEndpoint } from "../addr/mod.ts";
import type { ListenerRow } from "../db/mod.ts";
import { GAUGE_BYTES } from "../observe/mod.ts";
import type { ListenerSnapshot } from "../plane/mod.ts";
import { type Problem, type RecordKind, type RecordShape, Report } from "../schema/mod.ts";
import { isRedirect, LISTENER, NO_ROUTES_OF_REDIRECT, ROUTE, type Route } from "../state/mod.ts";
import { findFreePort } from "./binding.ts";
import { ControlError } from "./control_error.ts";
import { withMemory } from "./route_memory.ts";
import type { StoredRows } from "./stored_rows.ts";

/**
 * Checks and compiles the listeners that the database holds. What the program writes was checked
 * before; rows of the first versions, and those that an operator wrote by hand, may hold anything.
 * One that does not parse ends the start: leaving it out would serve less, or to more people, than
 * the operator believes, and nobody reads a warning at three in the morning.
 *
 * @throws {ControlError} `invalid_row`, naming the row.
 */
export async function compileListeners(
  rows: readonly ListenerRow[],
  database: StoredRows,
): Promise<ListenerSnapshot[]> {
  const listeners: ListenerSnapshot[] = [];
  for (const row of rows) {
    const listener = await compileListener(row, database);
    const other = listeners.find((earlier) => endpointsOverlap(earlier, listener));
    if (other !== undefined) throw invalidRow("listener", row, `overlaps the listener ${other.id}`);
    listeners.push(listener);
  }
  return listeners;
}

async function compileListener(row: ListenerRow, database: StoredRows): Promise<ListenerSnapshot> {
  const { routes: _, ...settings } = checked(LISTENER, { ...row, routes: [] }, ["listener", row]);
  const endpoint = parseListenEndpoint(settings.addr);
  if (!endpoint.ok) throw invalidRow("listener", row, endpoint.reason);
  const { host, port } = endpoint.value;
  const routes = checkedRoutes(row.id, database);
  if (isRedirect(settings) && routes.length > 0) {
    throw invalidRow("routes of listener", row, NO_ROUTES_OF_REDIRECT);
  }
  return {
    id: row.id,
    ...settings,
    host,
    port: port === 0 ? await findFreePort(host) : port,
    routes,
    gauge: new SharedArrayBuffer(GAUGE_BYTES),
  };
}

function checkedRoutes(listenerId: number, database: StoredRows): readonly Route[] {
  const policies = Map.groupBy(database.policies.list(), ({ routeId }) => routeId);
  const byHostname = new Map<string, number>();
  let defaultId: number | undefined;
  return database.routes(listenerId).map((row) => {
    const { id } = row;
    const own = (policies.get(id) ?? []).map(({ id, type, value }) => ({ id, type, value }));
    const { policies: found, ...route } = checked(ROUTE, { ...row, policies: own }, ["route", row]);
    const other = byHostname.get(route.hostname);
    if (other !== undefined) throw invalidRow("route", row, `repeats the route ${other}`);
    byHostname.set(route.hostname, id);
    if (route.isDefault === true) {
      if (defaultId !== undefined) {
        throw invalidRow("default of route", row, `repeats that of route ${defaultId}`);
      }
      defaultId = id;
    }
    return withMemory({ id, listenerId, ...route, ...found !== undefined && { policies: own } });
  });
}

type Named = { readonly id: number } & ({ readonly addr: string } | { readonly hostname: string });

/** The record of a row, in canonical form. */
function checked<T extends object>(
  kind: RecordKind<T>,
  value: T,
  [what, row]: readonly [what: string, row: Named],
): T {
  const report = new Report();
  const found = kind.check(value, { path: [], report });
  const [problem] = report.problems;
  if (problem === undefined) return found;
  const part = partOf(problem, kind.shape);
  const reason = problem.reason ?? problem.message;
  throw invalidRow(part === "" ? what : `${part} of ${what}`, row, reason);
}

/** The field, in words; nothing for the one that names the row. */
function partOf({ key }: Problem, { fields }: RecordShape): string {
  const [first] = key.split(/[.[]/);
  const field = [...fields.values()].find((it) => it.key === first);
  if (field === undefined || key === "addr" || key === "hostname") return "";
  return (field.flag?.name ?? field.key).replaceAll(/[-_]/g, " ");
}

function invalidRow(what: string, row: Named, reason: string): ControlError {
  // As JSON: whatever the column holds, the message stays one line.
  const name = JSON.stringify("addr" in row ? row.addr : row.hostname);
  return new ControlError("invalid_row", `database: ${what} ${row.id} (${name}): ${reason}`);
}
