import type { FieldLines } from "./field_lines.ts";
import { isOrdinary } from "./name_table.ts";

/**
 * What may come as a trailer unannounced: RFC 9110 §6.5.1 wants names that are defined for it.
 * Everything else is passed on only if the head's `Trailer` named it, and nothing that frames,
 * routes or belongs to the connection ever (CVE-2026-88004: trailers merged into the head).
 */
const KNOWN: ReadonlySet<string> = new Set([
  "content-digest",
  "content-md5",
  "digest",
  "etag",
  "repr-digest",
  "server-timing",
  "signature",
  "signature-input",
  "x-checksum",
]);
const KNOWN_PREFIXES = ["grpc-", "x-amz-checksum-", "x-amz-trailer-"];

/** The trailers that are passed on; `announced`: names of the head's `Trailer`, in lower case. */
export function allowedTrailers(lines: FieldLines, announced: ReadonlySet<string>): string[] {
  const fields = lines.finish();
  const kept: string[] = [];
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] as string;
    if (isOrdinary(name) && (announced.has(name) || isKnown(name))) {
      kept.push(name, fields[i + 1] as string);
    }
  }
  return kept;
}

/** Trailers that frame the message which they end have one purpose only. */
export function framesAgain(lines: FieldLines): boolean {
  return lines.contentLength >= 0 || lines.coding !== "none";
}

function isKnown(name: string): boolean {
  return KNOWN.has(name) || KNOWN_PREFIXES.some((prefix) => name.startsWith(prefix));
}
