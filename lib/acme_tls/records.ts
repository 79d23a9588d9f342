import { concat } from "../wire/mod.ts";
import { AcmeTlsError } from "./error.ts";
import { trafficKeys } from "./key_schedule.ts";
import { uint } from "./octets.ts";

/** ContentType (RFC 8446 §5.1). */
export const CONTENT = { changeCipherSpec: 20, alert: 21, handshake: 22, data: 23 } as const;

const HEADER_BYTES = 5;
const TAG_BYTES = 16;
/** RFC 8446 §5.1 and §5.2. */
const MAX_PLAINTEXT = 16_384;
const MAX_CIPHERTEXT = MAX_PLAINTEXT + 256;

/** For middleboxes (RFC 8446, Appendix D.4). */
export const CHANGE_CIPHER_SPEC = Uint8Array.of(CONTENT.changeCipherSpec, 3, 3, 0, 1, 1);

/** A record in the clear. */
export function plainRecord(type: number, content: Uint8Array): Uint8Array<ArrayBuffer> {
  return concat(Uint8Array.of(type, 3, 3), uint(2, content.length), content);
}

/** A record as it came. */
export interface RawRecord {
  readonly type: number;
  readonly header: Uint8Array;
  readonly content: Uint8Array;
}

/**
 * The first record of what was received, and how many octets it takes; `undefined`: not enough yet.
 *
 * @throws {AcmeTlsError} if it is none, or too long.
 */
export function firstRecord(
  octets: Uint8Array,
): { readonly record: RawRecord; readonly size: number } | undefined {
  if (octets.length < HEADER_BYTES) return undefined;
  const [type = 0, major, , high = 0, low = 0] = octets;
  const length = high << 8 | low;
  if (major !== 3 || length === 0 || length > MAX_CIPHERTEXT) {
    throw new AcmeTlsError("the client sends something else than records");
  }
  const size = HEADER_BYTES + length;
  if (octets.length < size) return undefined;
  const header = octets.subarray(0, HEADER_BYTES);
  return { record: { type, header, content: octets.subarray(HEADER_BYTES, size) }, size };
}

/** Protects or opens the records of one direction and epoch (RFC 8446 §5.2, §5.3). */
export class RecordProtection {
  readonly #key: CryptoKey;
  readonly #iv: Uint8Array;
  #sequence = 0;

  private constructor(key: CryptoKey, iv: Uint8Array) {
    this.#key = key;
    this.#iv = iv;
  }

  static async create(secret: Uint8Array): Promise<RecordProtection> {
    const { key, iv } = await trafficKeys(secret);
    const usages: KeyUsage[] = ["encrypt", "decrypt"];
    return new RecordProtection(
      await crypto.subtle.importKey("raw", key, "AES-GCM", false, usages),
      iv,
    );
  }

  /** One record; `content` has to fit into it. */
  async seal(type: number, content: Uint8Array): Promise<Uint8Array<ArrayBuffer>> {
    const inner = concat(content, Uint8Array.of(type));
    const header = concat(Uint8Array.of(CONTENT.data, 3, 3), uint(2, inner.length + TAG_BYTES));
    const sealed = await crypto.subtle.encrypt(this.#parameters(header), this.#key, inner);
    return concat(header, new Uint8Array(sealed));
  }

  /** @throws {AcmeTlsError} if it was not made with the keys. */
  async open({ header, content }: RawRecord): Promise<{ type: number; content: Uint8Array }> {
    let inner: Uint8Array;
    try {
      const parameters = this.#parameters(new Uint8Array(header));
      const sealed = new Uint8Array(content);
      inner = new Uint8Array(await crypto.subtle.decrypt(parameters, this.#key, sealed));
    } catch {
      throw new AcmeTlsError("a record of the client does not decrypt");
    }
    let end = inner.length - 1; // Padding of zeroes (RFC 8446 §5.4).
    while (end > 0 && inner[end] === 0) end--;
    return { type: inner[end] ?? 0, content: inner.subarray(0, end) };
  }

  #parameters(additionalData: Uint8Array<ArrayBuffer>): AesGcmParams {
    const iv = new Uint8Array(this.#iv);
    const sequence = uint(4, this.#sequence++); // Of 64 bits, of which a handshake uses two.
    const start = iv.length - sequence.length;
    for (const [i, octet] of sequence.entries()) {
      iv[start + i] = (iv[start + i] as number) ^ octet;
    }
    return { name: "AES-GCM", iv, additionalData };
  }
}
