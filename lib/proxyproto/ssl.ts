import {
  decodeAscii,
  decodeUtf8,
  findTlv,
  type ProxyTlv,
  splitTlvs,
  tlvsLength,
  TlvType,
  writeTlvs,
} from "./_tlv_list.ts";

/** The SSL TLV (§2.2.6): how the client's TLS connection to the sender looks. */
export interface ProxySsl {
  /** PP2_CLIENT_SSL: the client connected over TLS. */
  readonly overTls: boolean;
  /** PP2_CLIENT_CERT_CONN: it presented a certificate on this connection. */
  readonly certificateOnConnection: boolean;
  /** PP2_CLIENT_CERT_SESS: it presented one at least once in this TLS session. */
  readonly certificateInSession: boolean;
  /** 0: there was a certificate and it was verified. Anything else: not. */
  readonly verify: number;
  /** As OpenSSL writes it, such as "TLSv1.3". */
  readonly version?: string;
  /** Common name of the client certificate's subject. */
  readonly commonName?: string;
  readonly cipher?: string;
  readonly signatureAlgorithm?: string;
  readonly keyAlgorithm?: string;
}

const CLIENT_SSL = 0x01;
const CLIENT_CERT_CONN = 0x02;
const CLIENT_CERT_SESS = 0x04;
/** client (1) and verify (4), then TLVs. */
const SSL_FIXED = 5;

/** Sub-types of text; only the common name may be more than US-ASCII. */
const TEXTS = [
  { type: 0x21, key: "version", decode: decodeAscii },
  { type: 0x22, key: "commonName", decode: decodeUtf8 },
  { type: 0x23, key: "cipher", decode: decodeAscii },
  { type: 0x24, key: "signatureAlgorithm", decode: decodeAscii },
  { type: 0x25, key: "keyAlgorithm", decode: decodeAscii },
] as const;

/** The SSL TLV among `tlvs`; `undefined` if there is none or it is malformed. */
export function readSslTlv(tlvs: readonly ProxyTlv[]): ProxySsl | undefined {
  const value = findTlv(tlvs, TlvType.ssl);
  return value && readSslValue(value);
}

/** The value of an SSL TLV, or `undefined` if it is malformed. */
export function readSslValue(value: Uint8Array): ProxySsl | undefined {
  if (value.length < SSL_FIXED) return undefined;
  const nested = splitTlvs(value.subarray(SSL_FIXED));
  if (nested === undefined) return undefined;
  const client = value[0] as number;
  const texts: { -readonly [K in keyof ProxySsl]?: ProxySsl[K] } = {};
  for (const { type, key, decode } of TEXTS) {
    const octets = findTlv(nested, type);
    if (octets === undefined) continue;
    const text = decode(octets);
    // Two common names could be two identities to two readers.
    const isRepeated = nested.some((tlv) => tlv.type === type && tlv.value !== octets);
    if (text === undefined || isRepeated) return undefined;
    texts[key] = text;
  }
  return {
    overTls: (client & CLIENT_SSL) !== 0,
    certificateOnConnection: (client & CLIENT_CERT_CONN) !== 0,
    certificateInSession: (client & CLIENT_CERT_SESS) !== 0,
    verify: new DataView(value.buffer, value.byteOffset).getUint32(1),
    ...texts,
  };
}

/**
 * An SSL TLV.
 *
 * @throws {RangeError} if a text is over 65,535 octets long.
 */
export function sslTlv(ssl: ProxySsl): ProxyTlv {
  const encoder = new TextEncoder();
  const nested: ProxyTlv[] = [];
  for (const { type, key } of TEXTS) {
    const text = ssl[key];
    if (text !== undefined) nested.push({ type, value: encoder.encode(text) });
  }
  const value = new Uint8Array(SSL_FIXED + tlvsLength(nested));
  value[0] = (ssl.overTls ? CLIENT_SSL : 0) |
    (ssl.certificateOnConnection ? CLIENT_CERT_CONN : 0) |
    (ssl.certificateInSession ? CLIENT_CERT_SESS : 0);
  new DataView(value.buffer).setUint32(1, ssl.verify);
  writeTlvs(value, SSL_FIXED, nested);
  return { type: TlvType.ssl, value };
}
