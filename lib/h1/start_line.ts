import { isAuthority, isMethod, isPath, latin1 } from "../http/mod.ts";

const SPACE = 0x20;

/** Versions that we tell apart: what is 1.1 or a later 1.x is 1.1 (RFC 9110 §2.5). */
export type Version = "1.0" | "1.1";

/** The first line of a request. */
export interface RequestLine {
  readonly method: string;
  /** Of the absolute form, which wins over `Host` (RFC 9112 §3.2.2), or of CONNECT; else empty. */
  readonly authority: string;
  /** Path and query; empty for CONNECT. */
  readonly path: string;
  readonly version: Version;
}

/** The first line of a response; its phrase means nothing. */
export interface StatusLine {
  readonly status: number;
  readonly version: Version;
}

/** A line that is refused: the status of the answer, and why. */
export interface BadLine {
  readonly refuse: number;
  readonly reason: string;
}

/**
 * Parses `method SP target SP version` (RFC 9112 §3): one space each, as only lenient parsers see
 * anything in more.
 */
export function parseRequestLine(
  bytes: Uint8Array,
  start: number,
  end: number,
): RequestLine | BadLine {
  const first = bytes.indexOf(SPACE, start);
  const second = first < 0 ? -1 : bytes.indexOf(SPACE, first + 1);
  if (second < 0 || second >= end) return bad("no request line");
  const version = parseVersion(bytes, second + 1, end);
  if (version === undefined) return bad("no request line");
  const method = latin1(bytes, start, first);
  const target = latin1(bytes, first + 1, second);
  if (!isMethod(method)) return bad("the method is no token");
  if (version === "other") return { refuse: 505, reason: "not HTTP/1" };
  return parseTarget(method, target, version);
}

/** Parses `version SP 3DIGIT [SP phrase]` (RFC 9112 §4); the last space is often left out. */
export function parseStatusLine(
  bytes: Uint8Array,
  start: number,
  end: number,
): StatusLine | BadLine {
  const version = parseVersion(bytes, start, Math.min(end, start + VERSION_OCTETS));
  if (version === undefined || version === "other") return bad("not an answer of HTTP/1");
  const at = start + VERSION_OCTETS;
  const status = bytes[at] === SPACE && (end === at + 4 || bytes[at + 4] === SPACE)
    ? threeDigits(bytes, at + 1)
    : -1;
  // RFC 9110 §15: nothing else has a meaning, and 0xx or 1000 were read as anything.
  if (status < 100 || status > 599) return bad("an invalid status");
  for (let i = at + 4; i < end; i++) {
    const octet = bytes[i] as number;
    if (octet < SPACE && octet !== 0x09 || octet === 0x7f) return bad("a control in the phrase");
  }
  return { status, version };
}

const VERSION_OCTETS = "HTTP/1.1".length;

/** `other`: HTTP, but of another major version. `undefined`: not HTTP at all. */
function parseVersion(
  bytes: Uint8Array,
  start: number,
  end: number,
): Version | "other" | undefined {
  if (end - start !== VERSION_OCTETS) return undefined;
  for (let i = 0; i < 5; i++) if (bytes[start + i] !== HTTP[i]) return undefined;
  const major = (bytes[start + 5] as number) - 0x30;
  const minor = (bytes[start + 7] as number) - 0x30;
  if (bytes[start + 6] !== 0x2e || major < 0 || major > 9 || minor < 0 || minor > 9) {
    return undefined;
  }
  if (major !== 1) return "other";
  return minor === 0 ? "1.0" : "1.1";
}

const HTTP = [0x48, 0x54, 0x54, 0x50, 0x2f];

function threeDigits(bytes: Uint8Array, at: number): number {
  let value = 0;
  for (let i = at; i < at + 3; i++) {
    const digit = (bytes[i] as number) - 0x30;
    if (digit < 0 || digit > 9) return -1;
    value = 10 * value + digit;
  }
  return value;
}

/** RFC 9112 §3.2.2, with the scheme of any case. */
const ABSOLUTE = /^https?:\/\/([^/?#]*)(.*)$/i;

function parseTarget(method: string, target: string, version: Version): RequestLine | BadLine {
  if (method === "CONNECT") {
    return isAuthority(target)
      ? { method, authority: target, path: "", version }
      : bad("an invalid target");
  }
  if (target.charCodeAt(0) === 0x2f || target === "*") {
    return isPath(target) && (target !== "*" || method === "OPTIONS")
      ? { method, authority: "", path: target, version }
      : bad("an invalid target");
  }
  const absolute = ABSOLUTE.exec(target);
  const [, authority = "", rest = ""] = absolute ?? [];
  if (absolute === null || !isAuthority(authority)) return bad("an invalid target");
  const path = absolutePath(method, rest);
  return isPath(path) ? { method, authority, path, version } : bad("an invalid target");
}

/** RFC 9112 §3.2.4: OPTIONS without a path asks about the server as a whole. */
function absolutePath(method: string, rest: string): string {
  if (rest === "" && method === "OPTIONS") return "*";
  return rest.startsWith("/") ? rest : `/${rest}`;
}

function bad(reason: string): BadLine {
  return { refuse: 400, reason };
}
