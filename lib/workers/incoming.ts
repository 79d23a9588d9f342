import type { SessionRequest } from "../connector/mod.ts";
import { HITTER_GROUPS, HITTER_WEIGHTS, type HitterCount, TRACKED_PLACES } from "../hitters/mod.ts";
import {
  BACKEND_OUTCOMES,
  type ConnectionEvent,
  OUTCOMES,
  REQUEST_BLOCK_BYTES,
  type RequestEvent,
} from "../observe/mod.ts";
import type {
  BackendCount,
  ConnectionInfo,
  FoundConnections,
  FromWorker,
  Reply,
  ReplyValues,
  Request,
  RouteCount,
  TakenCounts,
} from "../plane/mod.ts";
import { MAX_CONNECTIONS, MODES } from "../state/mod.ts";
import {
  amount,
  type Check,
  exactText,
  finite,
  flag,
  list,
  MessageError,
  oneOf,
  record,
  sharedMemory,
  text,
} from "./checks.ts";
import { logRecord } from "./log_record.ts";

/** Addresses, identifiers, reasons: longer than any that is honest. */
const MAX_WORD = 1024;
/** A path or an identifier of a certificate, which are as long as their protocols allow. */
const MAX_LONG = 16_384;
/** What a worker sends at one time; see `EventOutbox`. */
const MAX_EVENTS = 256;

const word = text(MAX_WORD);
const long = text(MAX_LONG);
const identifier = exactText(MAX_WORD);
const mode = oneOf(MODES);

const connectionEvent = record<ConnectionEvent>({
  id: word,
  listener: word,
  peer: word,
  client: word,
  outcome: oneOf(OUTCOMES),
  bytesIn: amount,
  bytesOut: amount,
  durationMs: finite,
}, {
  sni: word,
  route: word,
  mode,
  backend: word,
  rule: word,
  identity: long,
  host: long,
  reason: word,
});

const requestEvent = record<RequestEvent>({
  request: word,
  connection: word,
  client: word,
  method: word,
  host: word,
  path: long,
  route: word,
  backend: word,
  status: amount,
  bytesIn: amount,
  bytesOut: amount,
  durationMs: finite,
  protocol: oneOf(["h2", "http/1.1", "http/1.0"] as const),
}, {
  backendOutcome: oneOf(BACKEND_OUTCOMES),
  grpcStatus: word,
  upstreamMs: finite,
  backendProtocol: oneOf(["h2", "http/1.1"] as const),
  policy: word,
  reason: word,
});

const connectionInfo = record<ConnectionInfo>({
  id: identifier,
  listener: word,
  client: word,
  bytesIn: amount,
  bytesOut: amount,
  ageMs: finite,
}, { sni: word, route: word, mode: word, backend: word, identity: long, host: long });

const routeCount = record<RouteCount>({
  listener: word,
  route: word,
  connections: amount,
  bytesIn: amount,
  bytesOut: amount,
}, {});

const backendCount = record<BackendCount>({
  listener: word,
  route: word,
  backend: word,
  outcome: oneOf(BACKEND_OUTCOMES),
  count: amount,
}, {});

const hitterCount = record<HitterCount>({
  group: oneOf(HITTER_GROUPS),
  by: oneOf(HITTER_WEIGHTS),
  keys: list(word, TRACKED_PLACES),
  counts: list(amount, TRACKED_PLACES),
  errors: list(amount, TRACKED_PLACES),
  missed: amount,
  total: amount,
}, {});

const sessionRequest = record<SessionRequest>({
  id: identifier,
  orgId: exactText(MAX_LONG),
  userId: exactText(MAX_LONG),
  connectId: exactText(MAX_LONG),
  notAfter: finite,
}, {});

/** A rule's id and how often it has blocked. */
function ruleHit(value: unknown): readonly [number, number] {
  const [id = 0, count = 0] = list(amount, 2)(value);
  if (!Number.isSafeInteger(id)) throw new MessageError("not an id");
  return [id, count];
}

const VALUES: { readonly [K in keyof ReplyValues]: Check<ReplyValues[K]> } = {
  "close_connection": flag,
  "find_connections": record<FoundConnections>({
    connections: list(connectionInfo, MAX_CONNECTIONS),
    total: amount,
  }, {}),
  "close_connections": amount,
  "live_traffic": list(routeCount, MAX_CONNECTIONS),
  "take_counts": record<TakenCounts>({
    ruleHits: list(ruleHit, MAX_CONNECTIONS),
    routes: list(routeCount, MAX_CONNECTIONS),
    backends: list(backendCount, MAX_CONNECTIONS),
    hitters: list(hitterCount, HITTER_GROUPS.length * HITTER_WEIGHTS.length),
  }, {}),
};

const reply = record<Pick<Reply, "id"> & { error?: string; value?: unknown }>(
  { id: amount },
  { error: word, value: (value) => value },
);

type Body<K extends FromWorker["type"]> = Omit<Extract<FromWorker, { type: K }>, "type">;

const OTHERS: { readonly [K in Exclude<FromWorker["type"], "reply">]: Check<Body<K>> } = {
  events: record<Body<"events">>({ events: list(connectionEvent, MAX_EVENTS) }, {}),
  "access_log": record<Body<"access_log">>({ events: list(requestEvent, MAX_EVENTS) }, {}),
  requests: record<Body<"requests">>({
    route: exactText(MAX_WORD),
    block: sharedMemory(REQUEST_BLOCK_BYTES),
  }, {}),
  admit: record<Body<"admit">>({ request: sessionRequest }, {}),
  leave: record<Body<"leave">>({ session: identifier }, {}),
  log: record<Body<"log">>({ record: logRecord }, {}),
};

/**
 * Takes a message of a worker. A worker meets hostile octets, so what it says is hostile too: only
 * what a worker of ours may say is taken, field by field into new objects, every string and list
 * bounded.
 *
 * @param requested What the worker was asked under an id, if anything.
 * @throws {MessageError} if no worker of ours says this.
 */
export function checkMessage(
  message: unknown,
  requested: (id: number) => Request["type"] | "start" | undefined,
): FromWorker {
  const type = (message as { type?: unknown } | null | undefined)?.type;
  if (type === "reply") return checkReply(message, requested);
  const check = typeof type === "string" && Object.hasOwn(OTHERS, type)
    ? OTHERS[type as keyof typeof OTHERS] as Check<object>
    : undefined;
  if (check === undefined) throw new MessageError("a message of unknown type");
  return { type, ...check(message) } as FromWorker;
}

function checkReply(
  message: unknown,
  requested: (id: number) => Request["type"] | "start" | undefined,
): Reply {
  const { id, error, value } = reply(message);
  const type = requested(id);
  // An answer that came too late: nobody looks at it.
  if (type === undefined) return { type: "reply", id };
  if (error !== undefined) return { type: "reply", id, error };
  if (!Object.hasOwn(VALUES, type)) return { type: "reply", id };
  return { type: "reply", id, value: VALUES[type as keyof ReplyValues](value) };
}
