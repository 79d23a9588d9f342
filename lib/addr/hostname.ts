import { parseIp } from "./ip.ts";
import { failure, type Result, success } from "./result.ts";

/** RFC 1035 §2.3.4: 255 octets on the wire are 253 characters in text, without the root's dot. */
const MAX_NAME = 253;
/** RFC 1035 §2.3.4. */
const MAX_LABEL = 63;

/** What a stranger sent is not looked at any closer. */
const BAD_CHARACTER = "a character is not allowed in names";

/** An exact name, or every name below one (`*.example.net`: one or more labels). */
export interface HostPattern {
  readonly wildcard: boolean;
  /** Canonical; for a wildcard the part after `*.`. */
  readonly name: string;
}

/**
 * Parses a DNS hostname to its canonical form: lower case, one trailing dot removed, at most 253
 * characters in labels of 1–63 letters, digits, hyphens (not first or last, RFC 1123 §2.1) and
 * underscores, which private zones do use. IP addresses are refused, and so are names whose last
 * label is all digits, which some resolvers read as addresses (RFC 3696 §2).
 * ASCII only: this is the form of names on the wire (RFC 6066 §3).
 */
export function parseHostname(text: string): Result<string> {
  const given = text.endsWith(".") ? text.slice(0, -1) : text;
  if (given === "") return failure("the name is empty");
  if (given.length > MAX_NAME) return failure(`the name is over ${MAX_NAME} characters`);
  // Before the case is folded: U+212A (Kelvin) folds to "k".
  if (!/^[A-Za-z0-9._-]+$/.test(given)) {
    return failure(
      parseIp(text).ok ? "an IP address is not a hostname" : BAD_CHARACTER,
    );
  }
  const name = given.toLowerCase();
  let start = 0;
  while (start <= name.length) {
    let end = name.indexOf(".", start);
    if (end < 0) end = name.length;
    if (end === start) return failure("a label is empty");
    if (end - start > MAX_LABEL) return failure(`a label is over ${MAX_LABEL} characters`);
    if (name[start] === "-" || name[end - 1] === "-") {
      return failure("a label starts or ends with a hyphen");
    }
    if (end === name.length && /^[0-9]+$/.test(name.slice(start, end))) {
      return failure(
        parseIp(name).ok ? "an IP address is not a hostname" : "the last label is all digits",
      );
    }
    start = end + 1;
  }
  return success(name);
}

/**
 * Parses what an operator writes for a route: a hostname or `*.` and a hostname. International
 * names are taken in either form and become A-labels (RFC 5891 §4), which is what clients send.
 *
 * @example
 * ```ts
 * import { parseHostPattern } from "./hostname.ts";
 * import assert from "node:assert/strict";
 *
 * assert.deepEqual(parseHostPattern("*.Bücher.example"), {
 *   ok: true,
 *   value: { wildcard: true, name: "xn--bcher-kva.example" },
 * });
 * ```
 */
export function parseHostPattern(text: string): Result<HostPattern> {
  if (text === "*") {
    return failure(
      'no route is for every name; a wildcard is for those below one: "*.example.net"',
    );
  }
  const wildcard = text.startsWith("*.");
  const rest = wildcard ? text.slice(2) : text;
  if (rest.includes("*")) return failure('"*" is allowed only as the whole first label');
  const ascii = toALabels(rest);
  if (!ascii.ok) return ascii;
  const name = parseHostname(ascii.value);
  if (!name.ok) return failure(withCharacter(ascii.value, name.reason));
  return success({ wildcard, name: name.value });
}

/** IDNA through the URL parser (UTS 46), which also proves that given A-labels decode. */
function toALabels(text: string): Result<string> {
  const plain = /^[\x21-\x7e]*$/.test(text);
  if (plain && !/(^|\.)xn--/i.test(text)) return success(text);
  // Characters that end a URL's host would be cut off silently.
  if (/[\s/?#@:\\[\]%]/.test(text)) return failure(withCharacter(text, BAD_CHARACTER));
  const url = URL.parse(`http://${text}/`);
  return url === null ? failure("not a valid international name") : success(url.hostname);
}

/** The reason of {@link parseHostname} for an operator, who is told which character it is. */
export function withCharacter(text: string, reason: string): string {
  if (reason !== BAD_CHARACTER) return reason;
  // As whole code points, and never one that moves the cursor.
  const found = /[\s/?#@:\\[\]%]/u.exec(text) ?? /[^A-Za-z0-9._-]/u.exec(text);
  return found === null ? reason : `the character ${shown(found[0])} is not allowed in names`;
}

function shown(character: string): string {
  if (/^[!-~]$/.test(character)) return character === '"' ? "'\"'" : `"${character}"`;
  if (character === " ") return '" " (a space)';
  return `U+${(character.codePointAt(0) as number).toString(16).toUpperCase().padStart(4, "0")}`;
}
