import type { ResponseHead } from "../http/mod.ts";
import type { Framing } from "./body_reader.ts";
import type { FieldLines } from "./field_lines.ts";
import type { StatusLine } from "./start_line.ts";

/** A response as a client session handles it. */
export interface Answer {
  readonly head: ResponseHead;
  /** Absent: no content. */
  readonly framing: Framing | undefined;
  /** The connection may be used after this response. */
  readonly reusable: boolean;
  /** A 101 that switches to what was asked for. */
  readonly opensTunnel: boolean;
}

/** Why what was read is no answer that can be passed on. */
export interface BrokenAnswer {
  readonly broken: string;
}

/** What was asked. */
export interface Asked {
  readonly isHead: boolean;
  /** The protocol of an upgrade, in lower case; empty: none. */
  readonly protocol: string;
}

/**
 * Makes an answer of a head that was read (RFC 9112 §6.3), or says why it is none: what two readers
 * could understand differently ends with a 502, not in a cache or in somebody else's response.
 */
export function assembleAnswer(
  { status, version }: StatusLine,
  lines: FieldLines,
  { isHead, protocol }: Asked,
): Answer | BrokenAnswer {
  const { contentLength, coding, announced } = lines;
  const { connectionUpgrade, upgrade } = lines;
  if (coding !== "none") {
    if (contentLength >= 0) return broken("Content-Length with Transfer-Encoding");
    if (version === "1.0") return broken("Transfer-Encoding in HTTP/1.0");
    if (coding === "unknown") return broken("an unknown transfer coding");
  }
  const opensTunnel = status === 101 && protocol !== "";
  if (status === 101) {
    if (!opensTunnel) return broken("a 101 that nobody asked for");
    if (!connectionUpgrade || upgrade.length !== 1 || upgrade[0] !== protocol) {
      return broken("a 101 to another protocol");
    }
  }
  const persists = version === "1.1" ? !lines.close : lines.keepAlive && !lines.close;
  const head: ResponseHead = { status, fields: lines.finish(), contentLength };
  if (status < 200) {
    return { head, framing: undefined, reusable: persists && !opensTunnel, opensTunnel };
  }
  // A refused upgrade may have left octets of the other protocol on their way.
  const reusable = persists && protocol === "";
  const answer = { head, opensTunnel: false };
  if (isHead || status === 204 || status === 304) {
    return { ...answer, framing: undefined, reusable };
  }
  if (coding === "chunked") {
    return { ...answer, framing: { kind: "chunked", announced }, reusable };
  }
  if (contentLength >= 0) {
    const framing = contentLength === 0 ? undefined : lengthFraming(contentLength);
    return { ...answer, framing, reusable };
  }
  return { ...answer, framing: { kind: "close" }, reusable: false };
}

function lengthFraming(octets: number): Framing {
  return { kind: "length", octets };
}

function broken(reason: string): BrokenAnswer {
  return { broken: reason };
}
