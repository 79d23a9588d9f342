/**
 * Builds ClientHellos, well-formed and broken, octet by octet from RFC 8446. It shares no code with
 * the parser, so that a mistake cannot cancel itself out.
 *
 * @module
 */

/** One entry of a `server_name` list. */
export interface NameEntry {
  /** 0 is a host name. */
  readonly type: number;
  readonly name: Uint8Array | string;
}

/** One extension, its body as given. */
export interface ExtensionSpec {
  readonly type: number;
  readonly body: Uint8Array;
}

/** What to build; everything has a default that gives a plain TLS 1.3 hello without a name. */
export interface HelloOptions {
  /** The host name as sent, also one that is not allowed. A string is sent as UTF-8. */
  readonly serverName?: string | Uint8Array;
  /** The whole list of `server_name`, instead of `serverName`. */
  readonly serverNames?: readonly NameEntry[];
  readonly alpn?: readonly string[];
  /** supported_versions; `[]` leaves the extension out. Default TLS 1.3 and 1.2. */
  readonly versions?: readonly number[];
  /** Default 0x0303. */
  readonly legacyVersion?: number;
  /** Default 0x0301, what most clients send. */
  readonly recordVersion?: number;
  /** Octets of session_id, default 32. */
  readonly sessionIdLength?: number;
  readonly cipherSuites?: readonly number[];
  /** Adds GREASE (RFC 8701) to suites, extensions, versions and ALPN. */
  readonly grease?: boolean;
  /** Adds an Encrypted Client Hello extension in its outer form. */
  readonly ech?: boolean;
  /** Sends a key share of 1,216 octets (X25519MLKEM768), which makes two TCP segments. */
  readonly postQuantum?: boolean;
  /** `false`: the message ends after compression_methods, as in TLS 1.0. */
  readonly extensions?: boolean;
  /** Put after the other extensions. */
  readonly extraExtensions?: readonly ExtensionSpec[];
  /** Pads (RFC 7685) to so many octets in all, counted as one record. */
  readonly padTo?: number;
  /** Payload octets of each record; the last size repeats. Default: records as long as allowed. */
  readonly recordSizes?: readonly number[];
  /** Default 1, ClientHello. */
  readonly handshakeType?: number;
  /** Added to the handshake length, to lie about it. */
  readonly handshakeLengthError?: number;
  /** Put at the end of the message and counted in its length. */
  readonly trailing?: Uint8Array;
}

const MAX_RECORD = 16_384;
const EMPTY = new Uint8Array(0);

/** A ClientHello in its TLS records. The same options give the same octets. */
export function buildClientHello(options: HelloOptions = {}): Uint8Array {
  const sizes = options.recordSizes ?? [MAX_RECORD];
  return intoRecords(buildClientHelloMessage(options), sizes, options.recordVersion ?? 0x0301);
}

/** The handshake message without record headers. */
export function buildClientHelloMessage(options: HelloOptions = {}): Uint8Array {
  const body = buildBody(options, EMPTY);
  const missing = (options.padTo ?? 0) - body.length - 9;
  if (missing <= 0) return handshake(options, body);
  return handshake(
    options,
    buildBody(options, extension(21, new Uint8Array(Math.max(0, missing - 4)))),
  );
}

/** Cuts a handshake message into records of the given payload sizes, the last of which repeats. */
export function intoRecords(
  message: Uint8Array,
  sizes: readonly number[],
  version = 0x0301,
): Uint8Array {
  const records: Uint8Array[] = [];
  let at = 0;
  for (let i = 0; at < message.length || i < sizes.length; i++) {
    const size = sizes[Math.min(i, sizes.length - 1)] ?? MAX_RECORD;
    if (size === 0 && i >= sizes.length) throw new RangeError("the last record size is 0");
    const payload = message.subarray(at, at + size);
    at += payload.length;
    records.push(record(payload, { version }));
  }
  return concat(records);
}

/** One record; `length` lies about its size. */
export function record(
  payload: Uint8Array,
  { type = 22, version = 0x0301, length = payload.length } = {},
): Uint8Array {
  return concat([Uint8Array.of(type), u16(version), u16(length), payload]);
}

/** One extension with a true length. */
export function extension(type: number, body: Uint8Array): Uint8Array {
  return concat([u16(type), vector16(body)]);
}

/** The body of a `server_name` extension. */
export function serverNameBody(entries: readonly NameEntry[]): Uint8Array {
  return vector16(
    concat(entries.map(({ type, name }) => concat([Uint8Array.of(type), vector16(octets(name))]))),
  );
}

/** Octets behind their 16-bit length. */
export function vector16(body: Uint8Array): Uint8Array {
  return concat([u16(body.length), body]);
}

/** Octets behind their 8-bit length. */
export function vector8(body: Uint8Array): Uint8Array {
  return concat([Uint8Array.of(body.length), body]);
}

/** Two octets, most significant first. */
export function u16(value: number): Uint8Array {
  return Uint8Array.of(value >> 8, value);
}

/** All parts in one new array. */
export function concat(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function handshake(options: HelloOptions, body: Uint8Array): Uint8Array {
  const length = body.length + (options.handshakeLengthError ?? 0);
  return concat([
    Uint8Array.of(options.handshakeType ?? 1, length >> 16),
    u16(length & 0xffff),
    body,
  ]);
}

function buildBody(options: HelloOptions, padding: Uint8Array): Uint8Array {
  const suites = options.cipherSuites ?? [0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030];
  const grease = options.grease ? [u16(0x4a4a)] : [];
  const parts = [
    u16(options.legacyVersion ?? 0x0303),
    pattern(32, 0x5a),
    vector8(pattern(options.sessionIdLength ?? 32, 0xa5)),
    vector16(concat([...grease, ...suites.map(u16)])),
    vector8(Uint8Array.of(0)),
  ];
  if (options.extensions !== false) {
    parts.push(vector16(concat([...listExtensions(options), padding])));
  }
  parts.push(options.trailing ?? EMPTY);
  return concat(parts);
}

function listExtensions(options: HelloOptions): Uint8Array[] {
  const list: Uint8Array[] = [];
  const names = options.serverNames ??
    (options.serverName === undefined ? undefined : [{ type: 0, name: options.serverName }]);
  if (options.grease) list.push(extension(0x7a7a, EMPTY));
  if (names !== undefined) list.push(extension(0, serverNameBody(names)));
  list.push(extension(23, EMPTY)); // extended_master_secret
  list.push(extension(0xff01, Uint8Array.of(0))); // renegotiation_info
  list.push(extension(10, vector16(concat([0x11ec, 0x001d, 0x0017].map(u16))))); // supported_groups
  list.push(extension(11, Uint8Array.of(1, 0))); // ec_point_formats
  list.push(extension(13, vector16(concat([0x0403, 0x0804, 0x0401, 0x0807].map(u16)))));
  const alpn = [...(options.grease ? ["\x2a\x2a"] : []), ...(options.alpn ?? [])];
  if (alpn.length > 0) {
    list.push(extension(16, vector16(concat(alpn.map((name) => vector8(octets(name)))))));
  }
  list.push(extension(51, keyShare(options)));
  list.push(extension(45, Uint8Array.of(1, 1))); // psk_key_exchange_modes
  const versions = [
    ...(options.grease ? [0x8a8a] : []),
    ...(options.versions ?? [0x0304, 0x0303]),
  ];
  if (versions.length > 0) list.push(extension(43, vector8(concat(versions.map(u16)))));
  if (options.ech) list.push(extension(0xfe0d, echOuter()));
  if (options.grease) list.push(extension(0xdada, Uint8Array.of(0)));
  for (const { type, body } of options.extraExtensions ?? []) list.push(extension(type, body));
  return list;
}

/** X25519, before it X25519MLKEM768 when asked for (client share 1,184 + 32 octets). */
function keyShare({ postQuantum }: HelloOptions): Uint8Array {
  const x25519 = concat([u16(0x001d), vector16(pattern(32, 9))]);
  const hybrid = postQuantum ? [concat([u16(0x11ec), vector16(pattern(1216, 7))])] : [];
  return vector16(concat([...hybrid, x25519]));
}

/** type outer, HKDF-SHA256 with AES-128-GCM, config 1, enc, payload (RFC 9849 §5). */
function echOuter(): Uint8Array {
  return concat([
    Uint8Array.of(0),
    u16(1),
    u16(1),
    Uint8Array.of(1),
    vector16(pattern(32, 3)),
    vector16(pattern(144, 4)),
  ]);
}

function pattern(length: number, first: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => first + i * 31);
}

function octets(value: string | Uint8Array): Uint8Array {
  return typeof value === "string" ? new TextEncoder().encode(value) : value;
}
