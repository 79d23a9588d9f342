/** What needs no decoding: no escapes, and nothing that backends read in different ways. */
const PLAIN = /^\/[A-Za-z0-9/_~!$&'()*+,=:@.-]*$/;
const DOT_SEGMENT = /(?:^|\/)\.{1,2}(?:\/|$)/;
const ESCAPE = /%[0-9A-Fa-f]{2}/;

const UTF8 = new TextDecoder("utf-8", { fatal: true });

/** A path that every backend reads as the same one, or why it is none. */
export type RequestPath =
  | { readonly ok: true; readonly path: string }
  | { readonly ok: false; readonly reason: string };

/**
 * The decoded path of a request's target, without its query. Refused is whatever two programs read
 * in two ways, so that what is matched is what is served: dot segments, also encoded ones; empty
 * segments; encoded slashes; backslashes (`/` to some); `;` (to some the end of a segment); escapes
 * that are none, that are not UTF-8, that hold a control character, or that are escaped once more.
 */
export function readRequestPath(target: string): RequestPath {
  const query = target.indexOf("?");
  const raw = query < 0 ? target : target.slice(0, query);
  if (raw === "*") return { ok: true, path: raw };
  if (!raw.startsWith("/")) return refused("it does not begin with a slash");
  if (raw.includes("//")) return refused("a segment is empty");
  if (PLAIN.test(raw)) return DOT_SEGMENT.test(raw) ? DOTS : { ok: true, path: raw };
  if (/[\\;]|%(?:5c|3b|2f)/i.test(raw)) {
    return refused("a slash, a backslash or ; is not a plain one");
  }
  const path = decode(raw);
  if (path === undefined) return refused("an escape is none, or not UTF-8");
  if (ESCAPE.test(path)) return refused("it is escaped twice");
  // deno-lint-ignore no-control-regex -- they are what is looked for
  if (/[\u0000-\u001f\u007f]/.test(path)) return refused("it holds a control character");
  return DOT_SEGMENT.test(path) ? DOTS : { ok: true, path };
}

const DOTS = refused("a segment is . or ..");

function refused(reason: string): { readonly ok: false; readonly reason: string } {
  return { ok: false, reason };
}

function decode(text: string): string | undefined {
  const octets: number[] = [];
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit > 0x7f) return undefined;
    if (unit !== 0x25) {
      octets.push(unit);
      continue;
    }
    const hex = text.slice(i + 1, i + 3);
    if (!/^[0-9A-Fa-f]{2}$/.test(hex)) return undefined;
    octets.push(parseInt(hex, 16));
    i += 2;
  }
  try {
    return UTF8.decode(Uint8Array.from(octets));
  } catch {
    return undefined;
  }
}
