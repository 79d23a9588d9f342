import { LOG_LEVELS, type LogRecord } from "../observe/mod.ts";
import { type Check, MessageError, oneOf, record, text } from "./checks.ts";

/** Reasons, addresses: longer than any that is honest. */
const MAX_WORD = 1024;
const MAX_FIELDS = 32;

const word = text(MAX_WORD);

/** A line of the log from a worker. */
export const logRecord: Check<LogRecord> = record<LogRecord>(
  { level: oneOf(LOG_LEVELS), message: word },
  { fields: logFields },
);

/** Values of a log line: the names are those of our own code, so others are refused. */
function logFields(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null) throw new MessageError("not an object");
  const entries = Object.entries(value);
  if (entries.length > MAX_FIELDS) throw new MessageError(`more than ${MAX_FIELDS} fields`);
  return Object.fromEntries(entries.map(([name, field]) => {
    if (!/^[a-zA-Z][a-zA-Z0-9]{0,63}$/.test(name)) throw new MessageError("a field's name");
    if (typeof field === "boolean" || typeof field === "number") return [name, field];
    return [name, word(field)];
  }));
}
