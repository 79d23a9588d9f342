/**
 * What the program writes to its log, found in its source: a record is an object with a `level` and
 * a `message`, whose text may be a literal, a choice between some, or the parameter of a method that
 * is called with it.
 *
 * @module
 */

/** The literals of messages in a source text; one that holds values has `…` for each. */
export function logMessages(
  source: string,
): { readonly found: string[]; readonly opaque: string[] } {
  const found: string[] = [];
  const opaque: string[] = [];
  for (const { index } of source.matchAll(/\blevel(?:,|: (?:"|\w+ \?))/g)) {
    const object = enclosingObject(source, index);
    const expression = object && messageOf(object);
    if (expression === undefined) continue;
    const texts = literals(expression);
    found.push(...texts);
    if (texts.length > 0) continue;
    const isName = /^\w+$/.test(expression);
    const known = isName
      ? definitions(source.slice(0, index), expression) ??
        callers(source, methodAround(source, index))
      : [];
    if (known.length === 0) opaque.push(expression);
    found.push(...known);
  }
  return { found: [...new Set(found)], opaque: [...new Set(opaque)] };
}

/** The object literal around a place; nothing for types and for what is no record. */
function enclosingObject(source: string, index: number): string | undefined {
  let depth = 0;
  let start = index;
  while (start >= 0) {
    const c = source[start];
    if (c === "}" || c === ")") depth++;
    if (c === "{" || c === "(") {
      if (depth === 0) break;
      depth--;
    }
    start--;
  }
  if (source[start] !== "{") return undefined;
  let end = start;
  for (let open = 0; end < source.length; end++) {
    if (source[end] === "{") open++;
    if (source[end] === "}" && --open === 0) break;
  }
  return source.slice(start, end + 1);
}

/** What stands for `message`, up to the comma that ends it. */
function messageOf(object: string): string | undefined {
  const match = /\bmessage(:|\s*[,}])/.exec(object);
  if (match === null) return undefined;
  if (match[1] !== ":") return "message";
  const rest = object.slice(match.index + match[0].length);
  let depth = 0;
  for (let i = 0; i < rest.length; i++) {
    const c = rest[i] ?? "";
    if (c === '"' || c === "`") {
      i = rest.indexOf(c, i + 1);
      continue;
    }
    if ("([{".includes(c)) depth++;
    if (")]}".includes(c)) depth--;
    if (depth < 0 || (depth === 0 && c === ",")) return rest.slice(0, i).trim();
  }
  return undefined;
}

function literals(expression: string): string[] {
  // Of a choice, what is chosen and not what is asked.
  const chosen = /\?/.test(expression) ? expression.slice(expression.indexOf("?")) : expression;
  return [...chosen.matchAll(/"([^"\n]+)"|`([^`]+)`/g)].map(([, text, template]) =>
    (text ?? template ?? "").replaceAll(/\$\{[^}]*\}/g, "…")
  );
}

/** The texts that the variable of a name is given last. */
function definitions(before: string, name: string): string[] | undefined {
  const all = [...before.matchAll(new RegExp(`\\bconst ${name} =([^;]+);`, "g"))];
  const last = all.at(-1);
  // A parameter of the same name in a later function hides it.
  if (last === undefined || /\n {2}\S.*\{\n/.test(before.slice(last.index))) return undefined;
  return literals(last[1] ?? "");
}

function methodAround(source: string, index: number): string {
  const heads = [...source.slice(0, index).matchAll(/\n {2}(?:async )?(#?\w+)\([^;]*?\{\n/g)];
  return heads.at(-1)?.[1] ?? "";
}

/** The texts that a method of this file is called with. */
function callers(source: string, method: string): string[] {
  if (method === "") return [];
  const calls = source.matchAll(
    new RegExp(`this\\.${method}\\(([^;]*?)(?:\\);|\\)\\n|, error)`, "g"),
  );
  return [...calls].flatMap(([, args = ""]) =>
    literals(args.replace(/^"(?:debug|info|warn|error)",\s*/, ""))
  );
}
