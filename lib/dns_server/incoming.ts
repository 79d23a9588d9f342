import type { ForwardStatus, UpstreamStatus } from "../dns_forward/mod.ts";
import type { SignerStatus } from "../dnssec/mod.ts";
import type { LogRecord } from "../observe/mod.ts";
import {
  amount,
  type Check,
  exactText,
  flag,
  list,
  logRecord,
  MessageError,
  record,
  text,
} from "../workers/mod.ts";
import type { Ask } from "./ask.ts";
import type { FromWorker, Reply } from "./messages.ts";
import type { ServerStatus } from "./server_status.ts";

/** Reasons are cut off here. */
const MAX_REASON = 1024;
/** The longest name, and the longest text of an address with its zone. */
const MAX_NAME = 255;
const MAX_HOST = 128;
const MAX_MESSAGE = 65_535;
const MAX_PORT = 65_535;
/** Zones with servers of their own, and servers of one: more than anybody configures. */
const MAX_LIST = 10_000;
const MAX_SERIAL = 0xffffffff;

function integer(most: number): Check<number> {
  return (value) => {
    if (typeof value !== "number" || !Number.isInteger(value) || value < 0 || value > most) {
      throw new MessageError(`not a number up to ${most}`);
    }
    return value;
  };
}

/** Octets, copied out of whatever memory they are in. */
const octets: Check<Uint8Array> = (value) => {
  if (!(value instanceof Uint8Array) || value.length > MAX_MESSAGE) {
    throw new MessageError(`not octets, at most ${MAX_MESSAGE}`);
  }
  return Uint8Array.from(value);
};

/** A name as octets, one character for each. */
const name: Check<string> = (value) => {
  const origin = exactText(MAX_NAME)(value);
  if (/[^\0-\xff]/.test(origin)) throw new MessageError("not octets");
  return origin;
};

const id = integer(Number.MAX_SAFE_INTEGER);
const reason = text(MAX_REASON);
const port = integer(MAX_PORT);

const upstream = record<UpstreamStatus>({
  hostname: exactText(MAX_HOST),
  port,
  isUp: flag,
  questions: amount,
  failures: amount,
  answers: amount,
  answerMs: amount,
  strangeDatagrams: amount,
  keepsCase: flag,
}, {});

const size = record<SignerStatus["signatures"]>({ entries: amount, octets: amount }, {});

const forward = record<ForwardStatus>({
  counts: record<ForwardStatus["counts"]>({
    hits: amount,
    misses: amount,
    joined: amount,
    stale: amount,
    failures: amount,
    refused: amount,
    busy: amount,
    loops: amount,
  }, {}),
  cache: size,
  waiting: amount,
  questions: amount,
  zones: list(
    record<ForwardStatus["zones"][number]>({ zone: name, upstreams: list(upstream, MAX_LIST) }, {}),
    MAX_LIST,
  ),
}, {});

const signer = record<SignerStatus>({ made: amount, signatures: size, denials: size }, {});

const reply = record<Reply>({}, {
  ports: record<NonNullable<Reply["ports"]>>({ port, tlsPort: port }, {}),
  status: record<ServerStatus>({}, { forward, signer }),
});

const ASKS: { readonly [K in Ask["kind"]]: Check<Omit<Extract<Ask, { kind: K }>, "kind">> } = {
  message: record<Omit<Extract<Ask, { kind: "message" }>, "kind">>(
    { octets, host: exactText(MAX_HOST) },
    {},
  ),
  journal: record<Omit<Extract<Ask, { kind: "journal" }>, "kind">>(
    { origin: name, serial: integer(MAX_SERIAL) },
    {},
  ),
};

const MESSAGES: {
  readonly [T in FromWorker["type"]]: Check<Omit<Extract<FromWorker, { type: T }>, "type">>;
} = {
  reply: record<Omit<Extract<FromWorker, { type: "reply" }>, "type">>(
    { id },
    { error: reason, reply },
  ),
  log: record<{ readonly record: LogRecord }>({ record: logRecord }, {}),
  ask: record<Omit<Extract<FromWorker, { type: "ask" }>, "type">>(
    { ask: id, what: (value) => tagged<Ask>(value, "kind", ASKS) },
    {},
  ),
  failed: record<{ readonly reason: string }>({ reason }, {}),
};

/**
 * Takes what a worker has sent, whoever has got hold of it: each field is of its kind and size, and
 * others are left behind.
 *
 * @throws {MessageError}
 */
export function checkMessage(message: unknown): FromWorker {
  return tagged<FromWorker>(message, "type", MESSAGES);
}

/** One of several objects, which one a field of it says. */
function tagged<T extends object>(
  value: unknown,
  tag: string,
  checks: Readonly<Record<string, Check<object>>>,
): T {
  const kind = (value as Record<string, unknown> | null | undefined)?.[tag];
  const check = typeof kind === "string" && Object.hasOwn(checks, kind) ? checks[kind] : undefined;
  if (check === undefined) throw new MessageError(`a message of unknown ${tag}`);
  return { [tag]: kind, ...check(value) } as T;
}
