/**
 * Field names: their octets checked, put into lower case and turned into a string in one pass. Known
 * names are found in a table that never changes, so most of them cost no string and tell nobody what
 * others sent.
 *
 * @module
 */
import { latin1, NAME_OCTET, OCTETS } from "../http/mod.ts";

/** What the name of a field means to HTTP/1.1. */
export const NameKind = Object.freeze({
  ordinary: 0,
  /** Belongs to one connection (RFC 9110 §7.6.1) or is answered by each hop: not passed on. */
  hop: 1,
  connection: 2,
  contentLength: 3,
  transferEncoding: 4,
  host: 5,
  upgrade: 6,
  te: 7,
  trailer: 8,
  cookie: 9,
  /** In no table: an ordinary one, or none at all. */
  unknown: 10,
});

/** Their names, in lower case. */
const SPECIAL: Readonly<Record<string, number>> = {
  "connection": NameKind.connection,
  "content-length": NameKind.contentLength,
  "transfer-encoding": NameKind.transferEncoding,
  "host": NameKind.host,
  "upgrade": NameKind.upgrade,
  "te": NameKind.te,
  "trailer": NameKind.trailer,
  "cookie": NameKind.cookie,
  "keep-alive": NameKind.hop,
  "proxy-connection": NameKind.hop,
  "http2-settings": NameKind.hop,
  // They concern the first proxy of the client's own side (RFC 9110 §11.7), which this is not.
  "proxy-authenticate": NameKind.hop,
  "proxy-authorization": NameKind.hop,
};

/** What browsers, libraries and servers send most. */
const ORDINARY =
  `accept accept-charset accept-encoding accept-language accept-ranges access-control-allow-headers
access-control-allow-methods access-control-allow-origin access-control-allow-credentials
access-control-expose-headers access-control-max-age access-control-request-headers
access-control-request-method age allow alt-svc authorization baggage cache-control
content-disposition content-encoding content-language content-location content-range
content-security-policy content-type cross-origin-opener-policy date dnt etag expect expires
forwarded from grpc-status grpc-message if-match if-modified-since if-none-match if-range
if-unmodified-since last-modified link location max-forwards origin permissions-policy pragma
priority range referer referrer-policy retry-after sec-ch-ua sec-ch-ua-mobile sec-ch-ua-platform
sec-fetch-dest sec-fetch-mode sec-fetch-site sec-fetch-user sec-websocket-accept
sec-websocket-extensions sec-websocket-key sec-websocket-protocol sec-websocket-version server
server-timing set-cookie strict-transport-security traceparent tracestate
upgrade-insecure-requests user-agent vary via www-authenticate x-content-type-options
x-forwarded-for x-forwarded-host x-forwarded-proto x-frame-options x-powered-by x-real-ip
x-request-id x-requested-with x-xss-protection`.split(/\s+/);

/** For each octet, its lower case if a name may hold it; else 0. */
const LOWER = lowerCase();
/** Slots of the table; a power of two some times the number of names. */
const SLOTS = 512;
const NAMES: string[] = [];
const KINDS = new Uint8Array(SLOTS);
/** The same for strings. */
const KNOWN: ReadonlyMap<string, number> = new Map([
  ...ORDINARY.map((name) => [name, NameKind.ordinary] as const),
  ...Object.entries(SPECIAL),
]);
fillTable();

/** The name in `bytes[start, end)` and its kind, after {@link readName}. */
export const foundName: { text: string; kind: number } = { text: "", kind: 0 };

/**
 * Reads a name up to its colon into {@link foundName}; a line's name begins at `start`. Answers the
 * index of the colon, or -1 if what stands there is no name with a colon at once after it.
 */
export function readName(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0;
  let at = start;
  for (; at < end; at++) {
    const octet = LOWER[bytes[at] as number] as number;
    if (octet === 0) break;
    hash = (Math.imul(hash, 31) + octet) | 0;
  }
  if (at === start || at === end || bytes[at] !== 0x3a) return -1;
  let slot = slotOf(hash);
  for (let name = NAMES[slot]; name !== undefined && name !== ""; name = NAMES[slot]) {
    if (same(name, bytes, start, at)) {
      foundName.text = name;
      foundName.kind = KINDS[slot] as number;
      return at;
    }
    slot = (slot + 1) & (SLOTS - 1);
  }
  foundName.text = latin1(bytes, start, at).toLowerCase();
  foundName.kind = NameKind.ordinary;
  return at;
}

/** The kind of a name in lower case; those of the tables are valid names. */
export function kindOf(name: string): number {
  return KNOWN.get(name) ?? NameKind.unknown;
}

/** Whether a name in lower case means nothing to HTTP/1.1. */
export function isOrdinary(name: string): boolean {
  const kind = kindOf(name);
  return kind === NameKind.ordinary || kind === NameKind.unknown;
}

function same(name: string, bytes: Uint8Array, start: number, end: number): boolean {
  if (name.length !== end - start) return false;
  for (let i = 0; i < name.length; i++) {
    if (LOWER[bytes[start + i] as number] !== name.charCodeAt(i)) return false;
  }
  return true;
}

function slotOf(hash: number): number {
  return (hash ^ (hash >>> 15)) & (SLOTS - 1);
}

function lowerCase(): Uint8Array {
  const lower = new Uint8Array(256);
  for (let octet = 0; octet < 256; octet++) {
    if (((OCTETS[octet] as number) & NAME_OCTET) !== 0) lower[octet] = octet;
  }
  for (let letter = 0x41; letter <= 0x5a; letter++) lower[letter] = letter + 0x20;
  return lower;
}

function fillTable(): void {
  for (let slot = 0; slot < SLOTS; slot++) NAMES.push("");
  for (const name of [...Object.keys(SPECIAL), ...ORDINARY]) {
    let hash = 0;
    for (let i = 0; i < name.length; i++) hash = (Math.imul(hash, 31) + name.charCodeAt(i)) | 0;
    let slot = slotOf(hash);
    while (NAMES[slot] !== "") slot = (slot + 1) & (SLOTS - 1);
    NAMES[slot] = name;
    KINDS[slot] = kindOf(name);
  }
}
