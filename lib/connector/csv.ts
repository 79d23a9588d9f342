/** One record of a CSV file. */
export interface CsvRecord {
  /** The line on which it starts, from 1. */
  readonly line: number;
  readonly fields: readonly string[];
}

/** The records, or where the text stops being CSV. */
export type CsvResult =
  | { readonly ok: true; readonly records: readonly CsvRecord[] }
  | { readonly ok: false; readonly line: number; readonly reason: string };

/** A field: quoted, with doubled quotes inside, or plain, without any. */
const FIELD = /"((?:[^"]|"")*)"|([^",\r\n]*)/y;
const END = /,|\r?\n|$/y;

/**
 * Parses CSV (RFC 4180): commas, quotes where a field holds a comma, a quote or a line break, lines
 * that end in LF or CRLF. Empty lines are skipped; spaces belong to the field.
 */
export function parseCsv(text: string): CsvResult {
  const records: CsvRecord[] = [];
  let fields: string[] = [];
  let line = 1;
  let start = 1;
  let at = 0;
  while (at < text.length || fields.length > 0) {
    FIELD.lastIndex = at;
    const [match = "", quoted, plain = ""] = FIELD.exec(text) ?? [];
    fields.push(quoted?.replaceAll('""', '"') ?? plain);
    line += match.split("\n").length - 1;
    END.lastIndex = at + match.length;
    const end = END.exec(text);
    if (end === null) return { ok: false, line, reason: "a quote is out of place or not closed" };
    at = END.lastIndex;
    if (end[0] === ",") continue;
    if (fields.length > 1 || fields[0] !== "") records.push({ line: start, fields });
    fields = [];
    if (end[0] === "") break;
    start = ++line;
  }
  return { ok: true, records };
}
