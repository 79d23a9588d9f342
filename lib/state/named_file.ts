import type { Result } from "../addr/mod.ts";
import { checkPath, type Kind, parsed } from "../schema/mod.ts";

/** What a name of a file begins with; a relative path that does is written `./file:…`. */
const PREFIX = "file:";

/** A file's name in its group, and where it is at this proxy. */
export interface NamedFile {
  readonly name: string;
  readonly path: string;
}

/** A file of the state: its path, the same at every proxy, or `file:` and its name. */
export function stateFile(): Kind<string> {
  return parsed("path of a file, or `file:` and its name in the group", (text) => {
    if (!text.startsWith(PREFIX)) return checkPath(text);
    const name = parseName(text.slice(PREFIX.length));
    return name.ok ? { ok: true, value: text } : {
      ok: false,
      reason: `after "file:" comes the name of a file, no path: ${name.reason}`,
    };
  });
}

/** Names in a group: of it, its proxies, listeners and files. */
export function parseName(text: string): Result<string> {
  if (/^[a-z0-9][a-z0-9._-]{0,62}$/.test(text)) return { ok: true, value: text };
  const reason = "it is not of 1 to 63 lower-case letters, digits, dots, dashes and underscores";
  return { ok: false, reason };
}

/** Where a file of the state is at this proxy, or why nobody knows. */
export function locateFile(file: string, places: readonly NamedFile[]): Result<string> {
  if (!file.startsWith(PREFIX)) return { ok: true, value: file };
  const name = file.slice(PREFIX.length);
  const path = places.find((it) => it.name === name)?.path;
  if (path !== undefined) return { ok: true, value: path };
  const reason = `state.local.files does not say where the file ${JSON.stringify(name)} is here`;
  return { ok: false, reason };
}
