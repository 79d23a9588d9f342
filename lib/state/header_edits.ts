import type { Result } from "../addr/mod.ts";
import { isFieldName } from "../http/mod.ts";
import {
  field,
  isTable,
  type Kind,
  list,
  parsed,
  parseDuration,
  type Raw,
  record,
  type RecordKind,
} from "../schema/mod.ts";

/** Of one kind, of one route. */
const MAX_EDITS = 64;
/** In octets. */
const MAX_VALUE = 4096;

/**
 * What belongs to a connection or to the framing of one message: to set it would make two programs
 * disagree on where a message ends, or whom it is for.
 */
const FRAMING: ReadonlySet<string> = new Set([
  "connection",
  "content-length",
  "expect",
  "grpc-message",
  "grpc-status",
  "host",
  "http2-settings",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "sec-websocket-accept",
  "sec-websocket-key",
  "sec-websocket-version",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** What the proxy says of the client to backends, which have to be able to believe it. */
const SAID_BY_PROXY = /^(?:forwarded|via|x-real-ip|x-request-id|x-forwarded-.*)$/;

/** Which messages are changed. */
type Side = "request" | "response";

/** Fields to set and to take away. */
export interface HeaderEdits {
  /** `name: value`, the name in lower case. */
  readonly set: readonly string[];
  readonly remove: readonly string[];
}

/** Changes of the fields of requests or of responses. */
export function headerEdits(side: Side): RecordKind<HeaderEdits> {
  return record({
    set: field("set", headerLines(side), {
      default: [],
      doc: "Fields that every message has, in place of those of the same name.",
    }),
    remove: field("remove", list(headerName(side), { maxLength: MAX_EDITS }), {
      default: [],
      doc: "Fields that no message has.",
    }),
  });
}

/** The name of a field that an operator may change, in lower case. */
export function headerName(side: Side): Kind<string> {
  return parsed("name of a header field", (text) => parseName(text, side));
}

function parseName(text: string, side: Side): Result<string> {
  const name = text.toLowerCase();
  if (!isFieldName(name)) return { ok: false, reason: "not the name of a header field" };
  if (FRAMING.has(name)) return { ok: false, reason: "it is about one connection or one message" };
  if (side === "request" && SAID_BY_PROXY.test(name)) {
    return { ok: false, reason: "it is what the proxy says of the client" };
  }
  return { ok: true, value: name };
}

/** Fields as a table of names and values, or as texts; texts in memory and in every other form. */
function headerLines(side: Side): Kind<readonly string[]> {
  const lines = list(parsed('`"Name: value"`', (text) => parseLine(text, side)), {
    maxLength: MAX_EDITS,
  });
  return {
    ...lines,
    doc: 'table of names and values, or array of `"Name: value"`',
    read: (value, place) => lines.read(isTable(value) ? linesOf(value) : value, place),
  };
}

function linesOf(table: Record<string, Raw>): Raw {
  return Object.entries(table).map(([name, value]) =>
    typeof value === "string" ? `${name}: ${value}` : value
  );
}

function parseLine(text: string, side: Side): Result<string> {
  const colon = text.indexOf(":");
  if (colon < 0) return { ok: false, reason: "it has no colon" };
  const name = parseName(text.slice(0, colon), side);
  if (!name.ok) return name;
  const value = text.slice(colon + 1).trim();
  // Octets beyond ASCII mean something else to everybody.
  if (!/^[\x20-\x7e]*$/.test(value)) {
    return { ok: false, reason: "a sign is not allowed in values" };
  }
  if (value.length > MAX_VALUE) return { ok: false, reason: `over ${MAX_VALUE} octets` };
  return { ok: true, value: `${name.value}: ${value}` };
}

/** What `true` means: what the lists of browsers ask for. */
const USUAL_HSTS = "365d";

/** For how long browsers are to use TLS alone (RFC 6797): `true`, or so long; empty for not at all. */
export function hsts(): Kind<string> {
  const text = parsed('`true`, or a duration such as `"180d"`', (given): Result<string> => {
    if (given === "true") return { ok: true, value: USUAL_HSTS };
    return parseDuration(given) === undefined
      ? { ok: false, reason: "neither true nor a duration" }
      : { ok: true, value: given };
  });
  return {
    ...text,
    read: (value, place) => {
      if (value === false) return "";
      return value === true ? USUAL_HSTS : text.read(value, place);
    },
  };
}
