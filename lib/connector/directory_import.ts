import { parse, TomlError } from "smol-toml";
import { formatKeyPath, locateKeys } from "../schema/mod.ts";
import { type CsvRecord, parseCsv } from "./csv.ts";
import {
  checkEntries,
  COLUMNS,
  type Complain,
  type DirectoryProblem,
  type DirectoryResult,
  type EntryKind,
  type RawEntry,
  type RawField,
} from "./directory.ts";

/** The tables of the TOML form. */
const TABLES: ReadonlyMap<string, EntryKind> = new Map([
  ["hosts", "host"],
  ["teams", "team"],
  ["users", "user"],
]);

/** Between the elements of a list in one CSV field. */
const LIST_SEPARATOR = ";";

const LISTS: ReadonlySet<string> = new Set(["user_ids", "team_ids", "public_keys"]);

/**
 * Reads hosts, teams and users from a file, or says everything that is wrong with it.
 *
 * TOML has a table for each row: `[[hosts]]`, `[[teams]]` and `[[users]]` with the columns of the
 * database as keys. CSV (RFC 4180) has a header with `kind` (`host`, `team` or `user`), `id` and
 * columns of the database in any order; lists are separated by semicolons.
 *
 * @example
 * ```ts
 * import { importDirectory } from "./directory_import.ts";
 * import assert from "node:assert/strict";
 *
 * const csv = `kind,id,org_id,internal_ip_addr,user_ids
 * user,alice,acme,,
 * host,host-1,acme,10.0.0.5:22,alice
 * `;
 * const result = importDirectory(csv, "csv");
 * assert.ok(result.ok);
 * assert.deepEqual(result.directory.hosts[0]?.userIds, ["alice"]);
 * ```
 */
export function importDirectory(text: string, format: "toml" | "csv"): DirectoryResult {
  const problems: DirectoryProblem[] = [];
  const complain: Complain = (line, message) => problems.push({ line, message });
  const given = text.startsWith("\ufeff") ? text.slice(1) : text;
  const entries = format === "toml" ? readToml(given, complain) : readCsv(given, complain);
  // What is missing because it could not be read is not complained about again.
  const directory = entries && checkEntries(entries, complain);
  return directory && problems.length === 0
    ? { ok: true, directory }
    : { ok: false, problems: problems.toSorted((a, b) => a.line - b.line) };
}

function readToml(text: string, complain: Complain): RawEntry[] | undefined {
  let document: Record<string, unknown>;
  try {
    document = parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const [reason = ""] = error.message.split("\n", 1);
    complain(error.line, reason);
    return undefined;
  }
  const positions = locateKeys(text);
  const lineOf = (path: (string | number)[], otherwise: number) =>
    positions.get(formatKeyPath(path))?.line ?? otherwise;
  const entries: RawEntry[] = [];
  for (const [name, rows] of Object.entries(document)) {
    const kind = TABLES.get(name);
    const line = lineOf([name], 1);
    if (kind === undefined) {
      complain(line, `${JSON.stringify(name)} is none of [[hosts]], [[teams]] and [[users]]`);
    } else if (!Array.isArray(rows) || !rows.every(isTable)) {
      complain(line, `${name} is not written as [[${name}]]`);
    } else {
      for (const [i, row] of rows.entries()) {
        const start = lineOf([name, i], line);
        const fields = Object.entries(row).map(([key, value]): [string, RawField] => [
          key,
          { value, line: lineOf([name, i, key], start) },
        ]);
        entries.push({ kind, line: start, fields: new Map(fields) });
      }
    }
  }
  return entries;
}

function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) &&
    !(value instanceof Date);
}

function readCsv(text: string, complain: Complain): RawEntry[] | undefined {
  const csv = parseCsv(text);
  if (!csv.ok) {
    complain(csv.line, csv.reason);
    return undefined;
  }
  const [header, ...records] = csv.records;
  if (header === undefined || !checkHeader(header, complain)) return undefined;
  return records.flatMap((record) => readRecord(record, header, complain) ?? []);
}

function checkHeader({ line, fields }: CsvRecord, complain: Complain): boolean {
  const known = new Set(["kind", "id", ...Object.values(COLUMNS).flatMap(([, ...rest]) => rest)]);
  const wrong = [
    ...fields.filter((name) => !known.has(name)).map((name) =>
      `${JSON.stringify(name)} is unknown`
    ),
    ...fields.filter((name, i) => fields.indexOf(name) !== i).map((name) => `${name} comes twice`),
    ...["kind", "id"].filter((name) => !fields.includes(name)).map((name) => `${name} is missing`),
  ];
  for (const message of wrong) complain(line, `header: ${message}`);
  return wrong.length === 0;
}

function readRecord(
  { line, fields }: CsvRecord,
  header: CsvRecord,
  complain: Complain,
): RawEntry | undefined {
  if (fields.length !== header.fields.length) {
    complain(line, `there are ${fields.length} fields and ${header.fields.length} columns`);
    return undefined;
  }
  const cells = new Map(header.fields.map((name, i) => [name, fields[i] ?? ""]));
  const kind = cells.get("kind") ?? "";
  if (!isKind(kind)) {
    complain(line, `kind ${JSON.stringify(kind)} is none of host, team and user`);
    return undefined;
  }
  const found = new Map<string, RawField>();
  for (const [name, text] of cells) {
    // An empty field is one that this kind of row does not have.
    if (name === "kind" || text === "" && name !== "id") continue;
    const value = LISTS.has(name) ? text.split(LIST_SEPARATOR).map((item) => item.trim()) : text;
    found.set(name === "id" ? COLUMNS[kind][0] : name, { line, value });
  }
  return { kind, line, fields: found };
}

function isKind(text: string): text is EntryKind {
  return Object.hasOwn(COLUMNS, text);
}
