/** The static table of HPACK (RFC 7541 appendix A), with the tag of each name. */
import { OCTETS } from "../http/mod.ts";
import { tagName } from "./field_names.ts";

const STATIC_FIELDS: readonly (readonly [string, string])[] = [
  [":authority", ""],
  [":method", "GET"],
  [":method", "POST"],
  [":path", "/"],
  [":path", "/index.html"],
  [":scheme", "http"],
  [":scheme", "https"],
  ...["200", "204", "206", "304", "400", "404", "500"].map((code) => [":status", code] as const),
  ["accept-charset", ""],
  ["accept-encoding", "gzip, deflate"],
  ...[
    "accept-language accept-ranges accept access-control-allow-origin age allow authorization",
    "cache-control content-disposition content-encoding content-language content-length",
    "content-location content-range content-type cookie date etag expect expires from host",
    "if-match if-modified-since if-none-match if-range if-unmodified-since last-modified link",
    "location max-forwards proxy-authenticate proxy-authorization range referer refresh",
    "retry-after server set-cookie strict-transport-security transfer-encoding user-agent vary via",
    "www-authenticate",
  ].join(" ").split(" ").map((name) => [name, ""] as const),
];

/** Number of entries; dynamic indices start after it. */
export const STATIC_COUNT = 61;
/** Name of index `i` at `i`; index 0 is not used. */
export const STATIC_NAMES: readonly string[] = ["", ...STATIC_FIELDS.map(([name]) => name)];
/** Value of index `i` at `i`. */
export const STATIC_VALUES: readonly string[] = ["", ...STATIC_FIELDS.map(([, value]) => value)];
/** Tag of the name of index `i` at `i`. */
export const STATIC_TAGS: readonly number[] = STATIC_NAMES.map((name) =>
  tagName(name, octets(name))
);

function octets(name: string): number {
  let all = 255;
  for (let i = 0; i < name.length; i++) all &= OCTETS[name.charCodeAt(i)] as number;
  return all;
}
