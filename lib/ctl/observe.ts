import {
  EXIT,
  formatBytes,
  formatDuration,
  formatTime,
  renderTable,
  yesNo,
} from "../terminal/mod.ts";
import { durationMs, timestampMs } from "@bufbuild/protobuf/wkt";
import {
  CloseConnectionResponseSchema,
  type Connection,
  ExplainResponseSchema,
  GetAuditLogResponseSchema,
  GetStatusResponseSchema,
  ListConnectionsResponseSchema,
  SnapshotResponseSchema,
  type WorkerStatus,
} from "../admin/gen/mod.ts";
import type { DnsChange, Status } from "../client/mod.ts";
import { OUTCOMES } from "../observe/mod.ts";
import { backendColumns, conditionWords } from "./backends.ts";
import { rateLimitWords } from "./firewall.ts";
import { count, type Session } from "./session.ts";

/** Backends that a status for people names. */
const MAX_BACKENDS = 20;

/** `status`: 0 if the proxy is healthy. */
export async function showStatus(session: Session): Promise<number> {
  const found = await session.client.getStatus({});
  session.answer(
    GetStatusResponseSchema,
    found,
    ({ status }) => status === undefined ? ["no status"] : statusLines(status),
  );
  return found.status?.healthy ? EXIT.ok : EXIT.failed;
}

/** A status for people. */
export function statusLines(status: Status): string[] {
  const { firewall, geoip, counters } = status;
  const rules = Object.entries(firewall?.rulesByType ?? {})
    .map(([type, number]) => `${number} ${type}`).join(", ");
  const built = geoip?.buildTime && formatTime(timestampMs(geoip.buildTime));
  const uptime = status.uptime === undefined ? 0 : durationMs(status.uptime);
  const facts = [
    ["health", status.healthy ? "ok" : `NOT HEALTHY: ${status.problem}`],
    ...status.warnings.map((warning) => ["warning", warning] as const),
    ["version", `${status.version}, up ${formatDuration(uptime)}`],
    ["connections", `${status.activeConnections} open, ${counters.accepted ?? 0n} accepted`],
    [
      "traffic",
      `${formatBytes(counters.bytes_in ?? 0)} in, ${formatBytes(counters.bytes_out ?? 0)} out`,
    ],
    ["firewall", firewallWords(rules, firewall)],
    [
      "rate limit",
      `${rateLimitWords(firewall?.rateLimit)}${
        firewall?.rateLimitSetAtRunTime ? " (set at run time, whatever the file says)" : ""
      }, ${firewall?.rateLimited ?? 0n} refused`,
    ],
    ["geoip", geoip?.loaded ? `${geoip.databaseType}, built ${built}` : "none"],
    ["state", stateWords(status)],
    ["database", `version ${status.databaseVersion}, revision ${status.revision}`],
    ["workers", workersWords(status.workers)],
    ...status.dnsChanges.map((it) => ["records", dnsChangeWords(it)] as const),
    ...status.totalBackends === 0
      ? []
      : [["backends", conditionWords(status.backends, status.totalBackends)] as const],
  ] as const;
  const width = Math.max(...facts.map(([name]) => name.length));
  // Each connection once: the counters tell some of them apart further.
  const outcomes = OUTCOMES.map((name) => [name, counters[name] ?? 0n] as const)
    .filter(([, number]) => number > 0n);
  return [
    ...facts.map(([name, value]) => `${name.padEnd(width)}  ${value}`),
    "",
    ...renderTable(status.listeners, [
      { title: "LISTENER", value: ({ addr }) => addr },
      { title: "PROXY", value: ({ proxyProtocol }) => yesNo(proxyProtocol) },
      { title: "ROUTES", value: ({ routeCount }) => `${routeCount}`, right: true },
      { title: "ACTIVE", value: ({ activeConnections }) => `${activeConnections}`, right: true },
      { title: "TOTAL", value: ({ totalConnections }) => `${totalConnections}`, right: true },
    ]),
    ...backendLines(status),
    ...outcomes.length === 0 ? [] : [
      "",
      ...renderTable(outcomes, [
        { title: "OUTCOME", value: ([name]) => name },
        { title: "COUNT", value: ([, number]) => `${number}`, right: true },
      ]),
    ],
  ];
}

/** A change of records that waits for the name server. */
function dnsChangeWords({ id, sets, decidedAt, problem }: DnsChange): string {
  const since = decidedAt === undefined ? "" : ` since ${formatTime(timestampMs(decidedAt))}`;
  const what = `${sets.slice(0, 3).join(", ")}${sets.length > 3 ? ", …" : ""}`;
  const why = problem === "" ? "" : `: ${problem}`;
  return `${what} wait for the name server${since} (${id})${why}`;
}

/** Those that are looked after, the worst first; `backends list` shows all of them. */
function backendLines({ backends, totalBackends }: Status): string[] {
  if (backends.length === 0) return [];
  const shown = backends.slice(0, MAX_BACKENDS);
  const more = totalBackends - shown.length;
  return [
    "",
    ...renderTable(shown, backendColumns(shown)),
    ...more > 0 ? [`${more} more: mcproxyctl backends list`] : [],
  ];
}

/** Who says what is served; nothing of it from older proxies. */
function stateWords({ stateSource, statePath }: Status): string {
  return stateSource === "file"
    ? `the file ${statePath}, which \`mcproxyctl reload\` applies`
    : `the database ${statePath}`.trimEnd();
}

function firewallWords(rules: string, firewall: Status["firewall"]): string {
  const allowing = firewall?.allowRules ?? 0;
  const allow = allowing > 0 ? `, ${allowing} that allow` : "";
  return `${rules || "no"} rules${allow}, ${firewall?.hits ?? 0n} blocked`;
}

/** Which connections to list. */
export interface ConnectionFlags {
  readonly listener?: string;
  readonly route?: string;
  readonly client?: string;
  readonly limit: number;
}

const SESSION_COLUMNS = [
  { title: "ORG/USER", value: ({ identity }: Connection) => identity || "—" },
  { title: "HOST", value: ({ host }: Connection) => host || "—" },
];

export async function listConnections(session: Session, flags: ConnectionFlags): Promise<void> {
  const { listener: listenerAddr = "", route = "", client = "", limit } = flags;
  const found = await session.client.listConnections({ listenerAddr, route, client, limit });
  session.answer(ListConnectionsResponseSchema, found, ({ connections, total }) => [
    ...session.table(connections, [
      { title: "ID", value: ({ id }) => id },
      { title: "LISTENER", value: ({ listenerAddr }) => listenerAddr },
      { title: "CLIENT", value: ({ client }) => client },
      { title: "NAME", value: ({ sni }) => sni || "—" },
      // Organisation, user and host, where the connector knows them.
      ...connections.some(({ identity }) => identity !== "") ? SESSION_COLUMNS : [],
      { title: "BACKEND", value: ({ backend }) => backend || "—" },
      { title: "IN", value: ({ bytesIn }) => formatBytes(bytesIn), right: true },
      { title: "OUT", value: ({ bytesOut }) => formatBytes(bytesOut), right: true },
      { title: "AGE", value: ({ age }) => formatDuration(age ? durationMs(age) : 0), right: true },
    ], "no connections"),
    ...total > connections.length ? [`${total - connections.length} more`] : [],
  ]);
}

export async function closeConnection(session: Session, id: string): Promise<void> {
  const done = await session.client.closeConnection({ id });
  session.answer(CloseConnectionResponseSchema, done, () => [`closed connection ${id}`]);
}

/** `explain`: 0 whatever the verdict is. */
export async function explainVerdict(
  session: Session,
  question: {
    readonly clientIp: string;
    readonly listener: string;
    readonly sni: string | undefined;
    readonly path: string | undefined;
  },
): Promise<void> {
  const { clientIp, listener: listenerAddr, sni = "", path = "" } = question;
  const found = await session.client.explain({ clientIp, listenerAddr, sni, path });
  session.answer(ExplainResponseSchema, found, ({ verdict, outcome, rule, steps }) => {
    const why = rule?.reason ? ` (${rule.reason})` : "";
    const end = outcome === "" ? verdict : `${verdict}: ${outcome}${why}`;
    return [...steps, `verdict: ${end}`];
  });
}

export async function showAudit(session: Session, { limit }: { limit: number }): Promise<void> {
  const found = await session.client.getAuditLog({ limit });
  session.answer(GetAuditLogResponseSchema, found, ({ entries }) =>
    session.table(entries, [
      { title: "TIME", value: ({ time }) => formatTime(time ? timestampMs(time) : 0) },
      { title: "WHO", value: ({ actor }) => actor },
      { title: "WHAT", value: ({ action }) => action },
      { title: "SUBJECT", value: ({ subject }) => subject },
      { title: "CHANGE", value: ({ before, after }) => changeWords(before, after) },
    ], "no changes"));
}

export async function writeSnapshot(
  session: Session,
  path: string,
  { overwrite = false }: { overwrite?: boolean },
): Promise<void> {
  const done = await session.client.snapshot({ path, overwrite });
  session.answer(SnapshotResponseSchema, done, ({ size }) => [`wrote ${path}, ${size} octets`]);
}

/** `health`: 0 if the proxy serves; what it warns of is said, and changes nothing of that. */
export async function checkHealth(session: Session): Promise<number> {
  const healthy = await session.client.healthy();
  const { problem = "", warnings = [] } = (await session.client.getStatus({})).status ?? {};
  if (session.json) {
    session.raw(`${JSON.stringify({ healthy, problem, warnings })}\n`);
  } else {
    const reason = problem === "" ? "" : `: ${problem}`;
    session.print(
      healthy ? "healthy" : `not healthy${reason}`,
      ...warnings.map((warning) => `warning: ${warning}`),
    );
  }
  return healthy ? EXIT.ok : EXIT.failed;
}

/** The fields that differ, as `name: before → after`. */
export function changeWords(before: string, after: string): string {
  const old = parseObject(before);
  const now = parseObject(after);
  if (before === "" || after === "") {
    const [sign, fields] = before === "" ? ["+", now] : ["-", old];
    return Object.entries(fields)
      .filter(([, value]) => isTelling(value))
      .map(([name, value]) => `${sign}${name}=${words(value)}`).join(" ");
  }
  return Object.keys({ ...old, ...now })
    .filter((name) => words(old[name]) !== words(now[name]))
    .map((name) => `${name}: ${words(old[name])} → ${words(now[name])}`).join(", ");
}

function parseObject(json: string): Record<string, unknown> {
  if (json === "") return {};
  const value: unknown = JSON.parse(json);
  return typeof value === "object" && value !== null ? { ...value } : {};
}

/** Defaults say nothing. */
function isTelling(value: unknown): boolean {
  return value !== "" && value !== false && value !== 0 &&
    !(Array.isArray(value) && value.length === 0);
}

function words(value: unknown): string {
  return typeof value === "string" ? value || "—" : JSON.stringify(value) ?? "—";
}

/** Such as `2 serving`; those of which there is more to say follow by their number. */
function workersWords(workers: readonly WorkerStatus[]): string {
  const words = workers.map((worker) => [worker, workerWords(worker)] as const);
  const special = words.filter(([{ state }, text]) => state !== "serving" || text.includes("("));
  const serving = workers.length - special.length;
  const counted = serving > 0 || special.length === 0 ? [`${serving} serving`] : [];
  return [...counted, ...special.map(([, text]) => text)].join(", ");
}

function workerWords({ index, state, restarts, late, pendingChanges }: WorkerStatus): string {
  const lateMs = late === undefined ? 0 : durationMs(late);
  const remarks = [
    ...restarts > 0 ? [count(restarts, "restart")] : [],
    ...lateMs > 0 ? [`late by ${formatDuration(lateMs)}`] : [],
    ...pendingChanges > 0 ? [`${count(pendingChanges, "change")} pending`] : [],
  ];
  return `${index} ${state}${remarks.length > 0 ? ` (${remarks.join(", ")})` : ""}`;
}
