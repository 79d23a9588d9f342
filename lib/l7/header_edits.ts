import { parseDuration } from "../schema/mod.ts";
import type { Fields } from "../http/mod.ts";
import type { HeaderEdits, Route } from "../state/mod.ts";

/** Changes fields of a head. */
export type Edit = (fields: Fields) => Fields;

/** What an operator says of the fields of messages, compiled; nothing where he says nothing. */
export function compileEdits(edits: HeaderEdits | undefined): Edit | undefined {
  if (edits === undefined) return undefined;
  const added = edits.set.flatMap((line) => splitLine(line));
  const gone = new Set([...edits.remove, ...added.filter((_, i) => i % 2 === 0)]);
  return (fields) => {
    const kept: string[] = [];
    for (let i = 0; i < fields.length; i += 2) {
      const name = fields[i] as string;
      if (!gone.has(name)) kept.push(name, fields[i + 1] as string);
    }
    kept.push(...added);
    return kept;
  };
}

/** What is done to the fields of answers: the operator's edits, then HSTS where nobody has set it. */
export function compileResponseEdits({ responseHeaders, hsts = "" }: Route): Edit | undefined {
  const edit = compileEdits(responseHeaders);
  if (hsts === "") return edit;
  const value = `max-age=${Math.floor((parseDuration(hsts) ?? 0) / 1000)}`;
  return (fields) => {
    const edited = edit?.(fields) ?? fields;
    // Names stand at even places.
    for (let i = 0; i < edited.length; i += 2) if (edited[i] === HSTS) return edited;
    return [...edited, HSTS, value];
  };
}

const HSTS = "strict-transport-security";

function splitLine(line: string): [name: string, value: string] {
  const colon = line.indexOf(": ");
  return [line.slice(0, colon), line.slice(colon + 2)];
}
