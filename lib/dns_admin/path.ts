/** Characters of a target that are looked at; a name with every octet escaped twice fits. */
const MAX_TARGET = 8192;

/** A target, taken apart. */
export interface Target {
  /** Decoded once, each. */
  readonly segments: readonly string[];
  readonly query: Readonly<Record<string, string>>;
}

/**
 * Takes a target apart: segments at the slashes that are there, and decoded then. So a slash that is
 * encoded is part of its segment (names have them, RFC 2317), and nothing that is encoded, `..`
 * neither, leads anywhere else.
 *
 * @returns nothing for one that is malformed.
 */
export function parseTarget(target: string): Target | undefined {
  if (target.length > MAX_TARGET) return undefined;
  const mark = target.indexOf("?");
  const path = mark < 0 ? target : target.slice(0, mark);
  if (!path.startsWith("/")) return undefined;
  const segments: string[] = [];
  for (const part of path.slice(1).split("/")) {
    const segment = decoded(part);
    if (segment === undefined) return undefined;
    segments.push(segment);
  }
  const query: Record<string, string> = Object.create(null);
  for (const part of mark < 0 ? [] : target.slice(mark + 1).split("&")) {
    if (part === "") continue;
    const at = part.indexOf("=");
    const name = decoded(at < 0 ? part : part.slice(0, at));
    const value = decoded(at < 0 ? "" : part.slice(at + 1).replaceAll("+", " "));
    // One that is there twice would be read as either.
    if (name === undefined || value === undefined || name in query) return undefined;
    query[name] = value;
  }
  return { segments, query };
}

/** The values of a pattern such as `/v1/zones/{zone}`; nothing if segments are not of it. */
export function matchPath(
  pattern: string,
  segments: readonly string[],
): Record<string, string> | undefined {
  const parts = pattern.slice(1).split("/");
  if (parts.length !== segments.length) return undefined;
  const values: Record<string, string> = {};
  for (const [i, part] of parts.entries()) {
    const segment = segments[i] as string;
    const name = /^\{(.+)\}$/.exec(part)?.[1];
    if (name !== undefined && segment !== "") values[name] = segment;
    else if (name !== undefined || part !== segment) return undefined;
  }
  return values;
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
