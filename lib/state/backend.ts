import {
  boolean,
  duration,
  field,
  integer,
  oneOf,
  parsed,
  type Place,
  record,
  records,
  same,
  type ValueOf,
} from "../schema/mod.ts";
import type { Result } from "../addr/mod.ts";
import { DEFAULT_QUEUE } from "../balance/mod.ts";
import { backendAddress } from "./address.ts";
import { MAX_BACKENDS, MAX_CONNECTIONS } from "./limits.ts";

const MAX_WEIGHT = 1000;
/** In characters. */
const MAX_PATH = 1024;
/** Results in a row; more say nothing that fewer do not. */
const MAX_RESULTS = 100;
/** More than these would wait for a place that will not come. */
const MAX_QUEUE = 100_000;

/** Where its connections stand by an operator's wish. */
export const BACKEND_STATES = ["up", "drain", "down"] as const;

/** One of {@link BACKEND_STATES}. */
export type BackendState = typeof BACKEND_STATES[number];

/** How a route chooses between its backends. */
export const BALANCE_POLICIES = ["round_robin", "least", "source"] as const;

/** One of {@link BALANCE_POLICIES}. */
export type BalancePolicy = typeof BALANCE_POLICIES[number];

/** How a backend is asked whether it is well. */
export const HEALTH_KINDS = ["tcp", "tls", "http"] as const;

/** One of several backends of a route. */
export const BACKEND = record({
  addr: field("addr", backendAddress(), {
    required: true,
    doc: "An IP address or a name, and a port.",
    title: "BACKEND",
  }),
  weight: field("weight", integer({ min: 1, max: MAX_WEIGHT }), {
    default: 1,
    doc: "Its share: one of weight 2 gets twice what one of weight 1 gets.",
    title: "WEIGHT",
    flag: { value: "n", about: "its share; default: 1" },
  }),
  backup: field("backup", boolean(), {
    default: false,
    doc: "Used only while none of the others can be.",
    title: "BACKUP",
    flag: { about: "used only while none of the others can be" },
  }),
  maxConnections: field("max_connections", integer({ min: 0, max: MAX_CONNECTIONS }), {
    optional: true,
    absent: 0,
    doc:
      "Connections (`l7`: requests) that it is given at one time, over all workers. When every " +
      "backend has as many as it may, new ones wait: see `queue_length`. 0: no limit.",
    title: "LIMIT",
    flag: { value: "n", about: "connections (l7: requests) at one time; default: no limit" },
  }),
  state: field("state", oneOf(...BACKEND_STATES), {
    default: "up",
    doc: "`drain`: no new connections, the open ones go on. `down`: none at all. " +
      "`mcproxyctl backends` sets it.",
    title: "STATE",
  }),
}, { identity: ["addr"] });

/** One of several backends of a route. */
export type Backend = ValueOf<typeof BACKEND>;

/** How backends are checked, by the control plane and once for all workers. */
export const HEALTH = record({
  kind: field("kind", oneOf(...HEALTH_KINDS), {
    default: "tcp",
    doc: "`tcp`: a connection opens. `tls`: a TLS handshake succeeds. `http`: a GET is answered " +
      "with one of `status`, over TLS where the route's connections to its backend are TLS (`l4`, " +
      "and `l7` with `backend_tls`).",
  }),
  path: field("path", parsed("path of a URL", parsePath), {
    default: "/",
    doc: "What an `http` check asks for.",
  }),
  status: field("status", parsed('status or range of them, such as `"200-399"`', parseStatus), {
    default: "200-399",
    doc: "The answers to an `http` check that are good.",
  }),
  intervalMs: field("interval", duration({ min: 100, max: 3_600_000 }), {
    default: 5000,
    doc: "From one check to the next, give or take a tenth.",
  }),
  timeoutMs: field("timeout", duration({ min: 50, max: 60_000 }), {
    default: 2000,
    doc: "Until a check that has not succeeded has failed.",
  }),
  fall: field("fall", integer({ min: 1, max: MAX_RESULTS }), {
    default: 3,
    doc: "So many failures in a row take a backend out.",
  }),
  rise: field("rise", integer({ min: 1, max: MAX_RESULTS }), {
    default: 2,
    doc: "So many successes in a row take it back.",
  }),
});

/** How backends are checked. */
export type Health = ValueOf<typeof HEALTH>;

/** The fields of a route that are about several backends. */
export const BALANCING = {
  backends: field("backends", records(BACKEND, { maxLength: MAX_BACKENDS }), {
    optional: true,
    absent: [],
    since: 15,
    doc: "Several backends instead of one; `backend` is then the first of them, and need not be " +
      "written. A list of one without further settings is the same as `backend`. With `mtls`: " +
      "where hosts are whose row says `route`; see `connector.db`.",
    flag: {
      value: "host:port,…",
      about: "one of several, such as a.example:443,weight=2; may be repeated",
    },
  }),
  balance: field("balance", oneOf(...BALANCE_POLICIES), {
    optional: true,
    absent: "round_robin",
    since: 15,
    doc:
      "Which of the backends gets a connection (`l7`: a request). `round_robin`, which is also " +
      "what an absent key means: in turn, by weight. `least`: of two taken by chance the one with " +
      "fewer open for its weight. `source`: always the same for one client address, as long as it " +
      "can be used.",
    flag: { value: "policy", about: "how to choose between several backends" },
  }),
  health: field("health", HEALTH, {
    optional: true,
    since: 15,
    doc: "Checks of the backends. Absent: what becomes of connections alone tells how they are.",
    flag: { value: "key=value,…", about: "check the backends, such as kind=http,path=/healthz" },
  }),
  queueLength: field("queue_length", integer({ min: 0, max: MAX_QUEUE }), {
    optional: true,
    absent: DEFAULT_QUEUE.length,
    since: 15,
    doc: "How many may wait, in each worker, while every backend is at its `max_connections`. " +
      "Whoever comes after them is refused (`backend_full`).",
    flag: { value: "n", about: "how many may wait while every backend is full" },
  }),
  queueTimeoutMs: field("queue_timeout", duration({ min: 0, max: 600_000 }), {
    optional: true,
    absent: DEFAULT_QUEUE.timeoutMs,
    since: 15,
    doc: "How long they wait until they are refused.",
    flag: { value: "duration", about: "how long they wait" },
  }),
} as const;

interface Balanced {
  readonly backend: string;
  readonly backends?: readonly Backend[];
}

/**
 * One form for all that mean the same: `backend` is the first of `backends`, and a list of one that
 * says no more than `backend` is none. Says what is wrong with the list as a whole.
 */
export function checkBackends(
  { backend, backends = [] }: Balanced,
  { path, report }: Place,
): { backend: string; backends: readonly Backend[] } | undefined {
  const [first] = backends;
  if (first === undefined) return undefined;
  const at = [...path, "backends"];
  if (backend !== "" && backend !== first.addr && !report.hasProblem([...at, 0, "addr"])) {
    report.problem([...path, "backend"], "is not the first of backends: leave it out");
  }
  if (backends.every(({ state }) => state !== "up")) {
    report.problem(at, "none is up: the last backend cannot be taken out");
  }
  return { backend: first.addr, backends: isPlain(backends) ? [] : backends };
}

/** Whether a list says no more than an address would. */
function isPlain([first, ...others]: readonly Backend[]): boolean {
  return first !== undefined && others.length === 0 && same(first, plainBackend(first.addr));
}

function plainBackend(addr: string): Backend {
  return { addr, weight: 1, backup: false, state: "up" };
}

/** The backends of a route, whichever way they are written; none of an `mtls` route without any. */
export function backendsOf({ backend, backends }: Balanced): readonly Backend[] {
  if (backends !== undefined) return backends;
  return backend === "" ? [] : [plainBackend(backend)];
}

/** A path that can stand in the first line of a request as it is. */
function parsePath(text: string): Result<string> {
  if (!text.startsWith("/")) return { ok: false, reason: "it does not begin with /" };
  if (text.length > MAX_PATH) return { ok: false, reason: `over ${MAX_PATH} characters` };
  if (!/^[\x21-\x7e]*$/.test(text) || text.includes("#")) {
    return { ok: false, reason: "it holds what has to be written as %xx" };
  }
  return { ok: true, value: text };
}

function parseStatus(text: string): Result<string> {
  const range = parseStatusRange(text);
  if (range === undefined) return { ok: false, reason: "it is no status, and no range of them" };
  return { ok: true, value: text };
}

/** The first and the last status of a range; nothing for a text that is none. */
export function parseStatusRange(
  text: string,
): readonly [first: number, last: number] | undefined {
  const found = /^([1-5][0-9]{2})(?:-([1-5][0-9]{2}))?$/.exec(text);
  if (found === null) return undefined;
  const first = Number(found[1]);
  const last = Number(found[2] ?? found[1]);
  return first <= last ? [first, last] : undefined;
}
