import { concat, joined, u16 } from "../wire/mod.ts";
import { macOf, type TsigKey } from "./key.ts";
import {
  appendTsig,
  FUDGE_SECONDS,
  timersOf,
  TSIG_ERROR,
  type TsigRecord,
  u48,
  variablesOf,
} from "./record.ts";

const NOTHING: Uint8Array<ArrayBuffer> = new Uint8Array(0);

/** A message with its signature. */
export interface Signed {
  readonly octets: Uint8Array<ArrayBuffer>;
  readonly mac: Uint8Array<ArrayBuffer>;
}

/** A signature that was not taken. */
export interface RefusedSignature {
  readonly error: number;
  readonly record: TsigRecord;
  /** Absent: nothing can be signed for whoever made it. */
  readonly key?: TsigKey;
}

/** How a message is signed. */
export interface SignOptions {
  readonly key: TsigKey;
  /** Seconds since 1970. */
  readonly time: number;
  /** Of the request, if this answers one. */
  readonly requestMac?: Uint8Array | undefined;
  readonly error?: number;
  readonly other?: Uint8Array<ArrayBuffer>;
}

/** Signs a message (RFC 8945 §5.1, §5.3). */
export async function signMessage(unsigned: Uint8Array, options: SignOptions): Promise<Signed> {
  const { key, requestMac } = options;
  const record = recordOf(unsigned, options);
  const before = requestMac === undefined ? NOTHING : withLength(requestMac);
  const mac = await macOf(key, concat(before, unsigned, variablesOf(record)));
  return { octets: appendTsig(unsigned, { ...record, mac }), mac };
}

/**
 * Says in a message what was wrong with the signature of the request, without signing it: no key is
 * known to do it with (RFC 8945 §5.3.2).
 */
export function signError(
  unsigned: Uint8Array,
  { record, error }: { readonly record: TsigRecord; readonly error: number },
): Uint8Array<ArrayBuffer> {
  return appendTsig(unsigned, { ...record, mac: NOTHING, error, other: NOTHING });
}

/**
 * Answers a message whose signature was refused: signed where the key is known and the signature was
 * its own, with our time where theirs is wrong (RFC 8945 §5.2.3).
 */
export async function answerRefused(
  unsigned: Uint8Array,
  { refused: { key, error, record }, time }: {
    readonly refused: RefusedSignature;
    /** Seconds since 1970. */
    readonly time: number;
  },
): Promise<Uint8Array<ArrayBuffer>> {
  if (key === undefined) return signError(unsigned, { record, error });
  const isLate = error === TSIG_ERROR.badTime;
  const { octets } = await signMessage(unsigned, {
    ...{ key, requestMac: record.mac, error },
    time: isLate ? record.time : time,
    ...isLate && { other: u48(time) },
  });
  return octets;
}

/** Signs the messages of one answer, each with what was signed before it (RFC 8945 §5.3.1). */
export class TsigStream {
  readonly #key: TsigKey;
  #mac: Uint8Array;
  #isFirst = true;

  constructor(key: TsigKey, requestMac: Uint8Array) {
    this.#key = key;
    this.#mac = requestMac;
  }

  /** The next message. */
  async sign(unsigned: Uint8Array, time: number): Promise<Uint8Array<ArrayBuffer>> {
    const record = recordOf(unsigned, { key: this.#key, time });
    const after = this.#isFirst ? variablesOf(record) : timersOf(record);
    const mac = await macOf(this.#key, concat(withLength(this.#mac), unsigned, after));
    this.#mac = mac;
    this.#isFirst = false;
    return appendTsig(unsigned, { ...record, mac });
  }
}

function recordOf(
  unsigned: Uint8Array,
  { key, time, error = 0, other = NOTHING }: SignOptions,
): TsigRecord {
  return {
    ...{ keyName: key.name, algorithmName: key.algorithmName, time, fudge: FUDGE_SECONDS },
    ...{ mac: NOTHING, originalId: idOf(unsigned), error, other },
  };
}

function idOf(octets: Uint8Array): number {
  return (octets[0] as number) << 8 | (octets[1] as number);
}

/** A signature as it is signed itself. */
export function withLength(mac: Uint8Array): Uint8Array<ArrayBuffer> {
  return joined([u16(mac.length), mac]);
}
