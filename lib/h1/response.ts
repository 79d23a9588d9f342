import { type Fields, parseContentLength, type ResponseInit } from "../http/mod.ts";
import type { HeadToWrite } from "./head_writer.ts";
import type { OutgoingFraming } from "./outgoing.ts";
import { statusLine } from "./phrases.ts";
import type { Version } from "./start_line.ts";

/** What a response's head needs to know of its request and connection. */
export interface ResponseContext {
  readonly version: Version;
  readonly isHead: boolean;
  /** The connection goes on after this response. */
  readonly keepAlive: boolean;
  /** The response ends with its head. */
  readonly end: boolean;
}

/** How a final response is written. */
export interface ResponsePlan {
  readonly head: HeadToWrite;
  readonly framing: OutgoingFraming;
  /** Octets of content where a length declares them. */
  readonly octets: number;
  /** Only the end of the connection ends the content: it cannot go on. */
  readonly closes: boolean;
}

/**
 * Decides how a final response is framed (RFC 9112 §6.3). HEAD, 204, 205 and 304 have no content on
 * the wire whatever the backend sends, or it would be read as the next response.
 */
export function planResponse(
  { status, fields }: ResponseInit,
  { version, isHead, keepAlive, end }: ResponseContext,
): ResponsePlan {
  const declared = declaredLength(fields);
  const empty = isHead || status === 204 || status === 205 || status === 304;
  const framing = empty
    ? "none"
    : declared >= 0
    ? "length"
    : end
    ? "none"
    : version === "1.1"
    ? "chunked"
    : "raw";
  const closes = framing === "raw";
  const isChunked = framing === "chunked";
  let last = "";
  // RFC 9110 §8.6, §15.3.6.
  if (status === 205 || (end && !empty && declared < 0)) last = "content-length: 0\r\n";
  if (isChunked) last = "transfer-encoding: chunked\r\n";
  if (!keepAlive || closes) last += "connection: close\r\n";
  else if (version === "1.0") last += "connection: keep-alive\r\n";
  const dropsLength = status === 204 || status === 205;
  return {
    head: {
      first: statusLine(status),
      fields,
      // `Trailer` announces what only chunks can carry.
      skip: dropsLength ? isContentField : isChunked ? undefined : isTrailer,
      last,
    },
    framing,
    octets: Math.max(declared, 0),
    closes,
  };
}

function declaredLength(fields: Fields): number {
  for (let i = 0; i < fields.length; i += 2) {
    if (fields[i] === "content-length") return parseContentLength(fields[i + 1] as string);
  }
  return -1;
}

function isTrailer(name: string): boolean {
  return name === "trailer";
}

function isContentField(name: string): boolean {
  return name === "trailer" || name === "content-length";
}
