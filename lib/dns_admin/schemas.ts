import { type JsonSchema, object } from "./json_schema.ts";

const string = (description: string): JsonSchema => ({ type: "string", description });
const integer = (description: string, minimum?: number, maximum?: number): JsonSchema => ({
  ...{ type: "integer", description, minimum: minimum ?? 0 },
  ...maximum !== undefined && { maximum },
});
const list = (description: string, items: JsonSchema, maxItems?: number): JsonSchema => ({
  ...{ type: "array", description, items },
  ...maxItems !== undefined && { maxItems },
});

const MAX_TTL = 0x7fff_ffff;
const NAME = string("Relative to the zone unless it ends in a dot; `@` is the zone itself.");
const FULL_NAME = string("In full, with its last dot.");
const TYPE = string("Such as `A`, or `TYPE65280`.");
const TTL = integer("Seconds.", 0, MAX_TTL);
const VALUE = string(
  "As a zone file has it. A TXT value that does not begin with a quotation mark is one text.",
);
const SERIAL = integer("Of the zone, after the change.", 0, 0xffff_ffff);
const VERSION = string("Of the zone; the ETag, without its quotation marks.");
const PENDING = list(
  "Workers that make the change a little later.",
  integer("A worker."),
);

export const RECORD: JsonSchema = object({
  id: integer("Stays as long as the record is there."),
  name: FULL_NAME,
  type: TYPE,
  value: VALUE,
  ttl: TTL,
});

export const NEW_RECORD: JsonSchema = object({ name: NAME, type: TYPE, value: VALUE, "ttl?": TTL });

export const DONE: JsonSchema = object({
  serial: SERIAL,
  version: VERSION,
  pending_workers: PENDING,
});

export const CHANGED_RECORD: JsonSchema = object({
  ...{ id: integer("Stays as long as the record is there."), name: FULL_NAME, type: TYPE },
  ...{ value: VALUE, ttl: TTL, serial: SERIAL, version: VERSION, pending_workers: PENDING },
});

export const ZONE: JsonSchema = object({
  name: FULL_NAME,
  serial: SERIAL,
  records: integer("How many it has."),
  version: VERSION,
  "problem?": string("Why it is not served; absent: it is."),
  "secondary?": object({
    primaries: list("In the order in which they are asked.", string("`host:port`.")),
    primary: string("Who last vouched for it; empty: nobody yet."),
    expired: { type: "boolean", description: "Whether questions are answered SERVFAIL." },
    "refreshed_at?": string("When a primary last vouched for it, in UTC."),
    "expires_at?": string("When it expires unless one does, in UTC."),
    "next_at?": string("When a primary is asked next, in UTC; absent: it is being asked."),
    failures: integer("Questions that failed since one did not."),
    "last_error": string("Why the last one failed; empty: it did not."),
  }),
});

export const REFRESH: JsonSchema = object({
  "whole?": {
    type: "boolean",
    description: "As a whole, whatever serial it has; default: `false`.",
  },
});

export const ZONES: JsonSchema = object({ zones: list("Those that the token may read.", ZONE) });

export const NEW_ZONE: JsonSchema = object({
  name: string("Of the zone, in full; a last dot may be left out."),
  name_servers: list("Names, relative to the zone unless they end in a dot.", NAME, 64),
  "mailbox?": string("Whom to write to, as a name; default: `hostmaster` of the zone."),
  "ttl?": TTL,
});

export const CREATED_ZONE: JsonSchema = object({
  ...{ name: FULL_NAME, serial: SERIAL, version: VERSION, pending_workers: PENDING },
});

export const RECORDS: JsonSchema = object({
  records: list("In the order of their ids.", RECORD),
  serial: SERIAL,
  version: VERSION,
  "next?": integer("There are more: give it as `after`."),
});

export const SET: JsonSchema = object({
  ...{ ttl: TTL, "values": list("Each as a zone file has it.", VALUE, 4096) },
});

export const NEW_SET: JsonSchema = object({
  ...{ "ttl?": TTL, "values": list("Each as a zone file has it.", VALUE, 4096) },
});

export const CHANGED_SET: JsonSchema = object({
  records: list("Of the set.", RECORD),
  ...{ serial: SERIAL, version: VERSION, pending_workers: PENDING },
});

export const IMPORTED: JsonSchema = object({
  records: integer("How many the zone has now."),
  added: integer("Records that came."),
  removed: integer("Records that went."),
  changed: integer("Records that have another TTL or spelling."),
  ...{ serial: SERIAL, version: VERSION, pending_workers: PENDING },
});

export const EXPLANATION: JsonSchema = object({
  verdict: string(
    "`answer`, `no_data`, `no_name`, `delegation`, `expired` or `not_authoritative`.",
  ),
  "zone?": FULL_NAME,
  steps: list("What was looked at.", string("A sentence.")),
  records: list("As zone files have them.", string("A record.")),
  "recursion?": string("What becomes of a question of the client that no zone answers."),
});

export const STATUS: JsonSchema = object({
  version: string("Of the program."),
  zones: integer("How many there are."),
  records: integer("How many there are."),
  revision: integer("Grows with each change."),
  problem: string("Why it is not healthy; empty: it is."),
  addresses: list(
    "Those that it answers at.",
    object({
      address: string("An IP."),
      state: string("`starting`, `serving`, `restarting` or `draining`."),
      restarts: integer("How often its worker was replaced."),
      counters: list(
        "Since the start of the process.",
        object({ name: string("Such as `udp_messages`."), value: integer("How many.") }),
      ),
    }),
  ),
});

export const HEALTH: JsonSchema = object({ status: string("`ok` or `unhealthy`.") });

export const AUDIT: JsonSchema = object({
  entries: list(
    "The latest first.",
    object({
      id: integer("Grows."),
      time: string("When it was, in UTC."),
      actor: string("Whose token it was."),
      action: string("What was called."),
      subject: string("What was changed."),
      before: string("JSON; empty if there was nothing."),
      after: string("JSON; empty if there is nothing."),
    }),
  ),
});

const TOKEN_PROPERTIES = {
  name: string("Of the token."),
  scopes: list("`admin`, `read:ZONE` or `write:ZONE`; `*` is every zone.", string("A scope."), 64),
  "created_at": string("When it was made, in UTC."),
  "expires_at?": string("When it ends, in UTC; absent: never."),
};

export const TOKENS: JsonSchema = object({
  tokens: list("All of them.", object(TOKEN_PROPERTIES)),
});

export const NEW_TOKEN: JsonSchema = object({
  ...{ name: TOKEN_PROPERTIES.name, scopes: TOKEN_PROPERTIES.scopes },
  "ttl?": integer("Seconds until it ends; absent: it never does.", 1, 10 * 365 * 86_400),
});

export const CREATED_TOKEN: JsonSchema = object({
  ...TOKEN_PROPERTIES,
  token: string("What to show. It is not stored and cannot be shown again."),
});

const CHANGE_ID = string("Of the transaction: up to 64 letters, digits and hyphens.");
const COORDINATOR = string("Who decides.");
const OPTIONAL_VALUES = list("Each as a zone file has it; none: the set goes.", VALUE, 4096);
const VERSIONS = (description: string) =>
  list(description, object({ zone: FULL_NAME, version: VERSION }), 1000);
const SET_DATA = object({
  ttl: integer("Seconds; 0: there is no set.", 0, MAX_TTL),
  values: list("As a zone file has them.", VALUE),
});

export const NEW_CHANGE: JsonSchema = object({
  id: CHANGE_ID,
  coordinator: COORDINATOR,
  sets: list(
    "The sets as they are to be.",
    object({ zone: FULL_NAME, name: NAME, type: TYPE, "ttl?": TTL, values: OPTIONAL_VALUES }),
    1000,
  ),
  "if_versions?": VERSIONS("Refuse unless these zones have these versions."),
  "dry_run?": { type: "boolean", description: "Look only." },
});

export const CHANGE: JsonSchema = object({
  id: CHANGE_ID,
  state: string("`planned`, `prepared` or `committed`."),
  sets: list(
    "Those that differ from what there is; of a change that was made before, none.",
    object({ zone: FULL_NAME, name: FULL_NAME, type: TYPE, before: SET_DATA, after: SET_DATA }),
  ),
  versions: VERSIONS("Of the zones, now; of a change that was made before, none."),
  pending_workers: PENDING,
});

export const WAITING_CHANGES: JsonSchema = object({
  changes: list(
    "The oldest first.",
    object({
      ...{ id: CHANGE_ID, coordinator: COORDINATOR, actor: string("Who asked for it.") },
      prepared_at: string("When it was, in UTC."),
      zones: list("Those that are kept for it.", FULL_NAME),
    }),
  ),
});

export const WRITTEN_BACK: JsonSchema = object({
  "aside?": string("Where the file is now that was in the database's place."),
});

export const PROBLEM: JsonSchema = object({
  status: integer("Of HTTP."),
  code: string("For programs."),
  title: string("For people."),
  "fields?": list(
    "What is wrong with fields of the request.",
    object({ field: string("Its path."), message: string("What is wrong.") }),
  ),
});
