import { suggest } from "../schema/mod.ts";
import { checkConnectId, parseHostAddress, ROUTE_BACKENDS } from "./host.ts";

/** Rows for the three tables of the embedded database, checked against each other. */
export interface Directory {
  readonly hosts: readonly DirectoryHost[];
  readonly teams: readonly DirectoryTeam[];
  readonly users: readonly DirectoryUser[];
}

/** A row of `backend_hosts`. */
export interface DirectoryHost {
  readonly connectId: string;
  readonly internalIpAddr: string;
  readonly orgId: string;
  readonly userIds: readonly string[];
  readonly teamIds: readonly string[];
  readonly hostUser?: string;
}

/** A row of `teams`. */
export interface DirectoryTeam {
  readonly teamId: string;
  readonly orgId: string;
  readonly userIds: readonly string[];
}

/** A row of `users`. */
export interface DirectoryUser {
  readonly userId: string;
  readonly orgId: string;
  readonly publicKeys: readonly string[];
}

/** Something to correct in an imported file, and where. */
export interface DirectoryProblem {
  /** From 1. */
  readonly line: number;
  readonly message: string;
}

/** A directory, or everything that is wrong with the file, in its order. */
export type DirectoryResult =
  | { readonly ok: true; readonly directory: Directory }
  | { readonly ok: false; readonly problems: readonly DirectoryProblem[] };

/** What one entry of a file describes. */
export type EntryKind = "host" | "team" | "user";

/** An entry as a format's reader found it. */
export interface RawEntry {
  readonly kind: EntryKind;
  readonly line: number;
  readonly fields: ReadonlyMap<string, RawField>;
}

/** A value and the line on which it is written. */
export interface RawField {
  readonly line: number;
  readonly value: unknown;
}

/** Collects problems while a file is read. */
export type Complain = (line: number, message: string) => void;

/** The columns of each table; `id` names the first in CSV. */
export const COLUMNS: Readonly<Record<EntryKind, readonly [string, ...string[]]>> = {
  host: ["connect_id", "org_id", "internal_ip_addr", "user_ids", "team_ids", "host_user"],
  team: ["team_id", "org_id", "user_ids"],
  user: ["user_id", "org_id", "public_keys"],
};

/** A segment of a SPIFFE path: any other identifier is in no certificate. */
const CERTIFIABLE = /^(?!\.{1,2}$)[A-Za-z0-9._-]+$/;

/** Turns entries into rows: types, required fields, duplicates and references. */
export function checkEntries(entries: readonly RawEntry[], complain: Complain): Directory {
  const reader = new EntryReader(complain);
  const hosts: [RawEntry, DirectoryHost][] = [];
  const teams: [RawEntry, DirectoryTeam][] = [];
  const users: [RawEntry, DirectoryUser][] = [];
  for (const entry of entries) {
    reader.refuseUnknownFields(entry);
    if (entry.kind === "host") hosts.push([entry, reader.host(entry)]);
    else if (entry.kind === "team") teams.push([entry, reader.team(entry)]);
    else users.push([entry, reader.user(entry)]);
  }
  const orgOfUser = new Map(users.map(([, { userId, orgId }]) => [userId, orgId]));
  const orgOfTeam = new Map(teams.map(([, { teamId, orgId }]) => [teamId, orgId]));
  for (const [entry, { orgId, userIds }] of [...hosts, ...teams]) {
    reader.checkReferences(entry, "user_ids", { ids: userIds, orgId, orgs: orgOfUser });
  }
  for (const [entry, { orgId, teamIds }] of hosts) {
    reader.checkReferences(entry, "team_ids", { ids: teamIds, orgId, orgs: orgOfTeam });
  }
  return {
    hosts: hosts.map(([, row]) => row),
    teams: teams.map(([, row]) => row),
    users: users.map(([, row]) => row),
  };
}

/** Reads entries; a field that is wrong is complained about and read as empty. */
class EntryReader {
  readonly #complain: Complain;
  readonly #lineOfId = new Map<string, number>();

  constructor(complain: Complain) {
    this.#complain = complain;
  }

  host(entry: RawEntry): DirectoryHost {
    const hostUser = entry.fields.has("host_user") ? this.#text(entry, "host_user") : "";
    return {
      connectId: this.#id(entry, checkConnectId),
      orgId: this.#text(entry, "org_id", certifiable),
      internalIpAddr: this.#text(entry, "internal_ip_addr", hostAddress),
      userIds: this.#list(entry, "user_ids"),
      teamIds: this.#list(entry, "team_ids"),
      ...hostUser !== "" && { hostUser },
    };
  }

  team(entry: RawEntry): DirectoryTeam {
    return {
      teamId: this.#id(entry),
      orgId: this.#text(entry, "org_id", certifiable),
      userIds: this.#list(entry, "user_ids"),
    };
  }

  user(entry: RawEntry): DirectoryUser {
    return {
      userId: this.#id(entry, certifiable),
      orgId: this.#text(entry, "org_id", certifiable),
      publicKeys: this.#list(entry, "public_keys"),
    };
  }

  refuseUnknownFields({ kind, fields }: RawEntry): void {
    for (const [name, { line }] of fields) {
      if (COLUMNS[kind].includes(name)) continue;
      const near = suggest(name, COLUMNS[kind]);
      const hint = near === undefined ? "" : `; did you mean ${near}?`;
      this.#complain(line, `a ${kind} has no ${JSON.stringify(name)}${hint}`);
    }
  }

  /** Whoever is listed must be there and belong to the same organisation, or is never let in. */
  checkReferences(
    entry: RawEntry,
    name: "user_ids" | "team_ids",
    { ids, orgId, orgs }: { ids: readonly string[]; orgId: string; orgs: Map<string, string> },
  ): void {
    const line = entry.fields.get(name)?.line ?? entry.line;
    for (const id of ids) {
      const org = orgs.get(id);
      const quoted = JSON.stringify(id);
      if (org === undefined) this.#complain(line, `${name}: there is no ${quoted}`);
      else if (org !== orgId) {
        this.#complain(line, `${name}: ${quoted} belongs to another organisation`);
      }
    }
  }

  #id(entry: RawEntry, check?: Check): string {
    const [column] = COLUMNS[entry.kind];
    const id = this.#text(entry, column, check);
    const line = entry.fields.get(column)?.line ?? entry.line;
    const key = `${entry.kind} ${id}`;
    const first = this.#lineOfId.get(key);
    if (id !== "" && first !== undefined) {
      this.#complain(line, `${column}: ${JSON.stringify(id)} is already on line ${first}`);
    }
    this.#lineOfId.set(key, first ?? line);
    return id;
  }

  #text(entry: RawEntry, name: string, check?: Check): string {
    const field = entry.fields.get(name);
    if (field === undefined || field.value === "") {
      this.#complain(field?.line ?? entry.line, `${name} is missing`);
      return "";
    }
    if (typeof field.value !== "string") {
      this.#complain(field.line, `${name} is not a text`);
      return "";
    }
    const result = (check ?? storable)(field.value);
    if (!result.ok) this.#complain(field.line, `${name}: ${result.reason}`);
    return field.value;
  }

  #list(entry: RawEntry, name: string): string[] {
    const field = entry.fields.get(name);
    if (field === undefined) return [];
    const { line, value } = field;
    if (!Array.isArray(value) || !value.every((item) => typeof item === "string" && item !== "")) {
      this.#complain(line, `${name} is not a list of texts`);
      return [];
    }
    for (const item of value) {
      const result = storable(item);
      if (!result.ok) this.#complain(line, `${name}: ${result.reason}`);
    }
    return value;
  }
}

type Check = (
  text: string,
) => { readonly ok: true } | { readonly ok: false; readonly reason: string };

const storable: Check = (text) =>
  text.includes("\0") || !text.isWellFormed()
    ? { ok: false, reason: "it holds NUL or broken Unicode" }
    : { ok: true };

const hostAddress: Check = (text) =>
  text === ROUTE_BACKENDS ? { ok: true } : parseHostAddress(text, 1);

const certifiable: Check = (text) =>
  CERTIFIABLE.test(text)
    ? { ok: true }
    : { ok: false, reason: "a character is not allowed in a SPIFFE ID" };
