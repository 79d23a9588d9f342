import { type Message, nameEquals, parseMessage } from "../dns/mod.ts";
import { concat, joined } from "../wire/mod.ts";
import { macOf, TSIG_ALGORITHMS, type TsigKey } from "./key.ts";
import { findTsig, timersOf, TSIG_ERROR, type TsigRecord, variablesOf } from "./record.ts";
import { type RefusedSignature, withLength } from "./sign.ts";

/** RFC 8945 §5.2.2.1: a signature is never shorter than this, or than half of what the hash gives. */
const LEAST_MAC_OCTETS = 10;
/** RFC 8945 §5.3.1: a signature comes with every hundredth message at least. */
const MOST_UNSIGNED = 99;

/** What a signature says of a message. */
export type TsigVerdict =
  | {
    readonly kind: "verified";
    readonly key: TsigKey;
    readonly record: TsigRecord;
    /** The message without its signature. */
    readonly unsigned: Uint8Array<ArrayBuffer>;
  }
  | { readonly kind: "unsigned" }
  /** FORMERR. */
  | { readonly kind: "malformed" }
  /** NOTAUTH, and `error` in the answer's own signature. */
  | { readonly kind: "refused" } & RefusedSignature;

/** Who may have signed, and when. */
export interface VerifyOptions {
  readonly keys: readonly TsigKey[];
  /** Seconds since 1970. */
  readonly time: number;
  /** Of the request, if this is to answer one. */
  readonly requestMac?: Uint8Array | undefined;
}

/**
 * Looks at the signature of a message: its key, the signature itself, the time, and whether it is
 * whole, in this order (RFC 8945 §5.2).
 */
export async function verifyMessage(
  { message, octets }: { readonly message: Message; readonly octets: Uint8Array },
  options: VerifyOptions,
): Promise<TsigVerdict> {
  const found = findTsig(message, octets);
  if (found.kind !== "signed") return found;
  const { record, unsigned } = found;
  const before = options.requestMac === undefined ? undefined : withLength(options.requestMac);
  const signed = joined([...before ? [before] : [], unsigned, variablesOf(record)]);
  return await judge(signed, { record, unsigned, options });
}

async function judge(
  signed: Uint8Array<ArrayBuffer>,
  { record, unsigned, options: { keys, time } }: {
    readonly record: TsigRecord;
    readonly unsigned: Uint8Array<ArrayBuffer>;
    readonly options: VerifyOptions;
  },
): Promise<TsigVerdict> {
  const key = keys.find((own) =>
    nameEquals(own.name, record.keyName) && nameEquals(own.algorithmName, record.algorithmName)
  );
  if (key === undefined) return { kind: "refused", error: TSIG_ERROR.badKey, record };
  const { octets: full } = TSIG_ALGORITHMS[key.algorithm];
  const least = Math.max(LEAST_MAC_OCTETS, full / 2);
  if (record.mac.length > full) return { kind: "malformed" };
  // An answer that says what is wrong with ours has none; it proves nothing.
  if (record.mac.length < least && record.mac.length > 0) return { kind: "malformed" };
  const mac = await macOf(key, signed);
  if (record.mac.length === 0 || !isSame(record.mac, mac.subarray(0, record.mac.length))) {
    return { kind: "refused", error: TSIG_ERROR.badSig, record };
  }
  if (Math.abs(time - record.time) > record.fudge) {
    return { kind: "refused", error: TSIG_ERROR.badTime, record, key };
  }
  // Half a signature is guessed in the root of the time.
  if (record.mac.length < full) {
    return { kind: "refused", error: TSIG_ERROR.badTrunc, record, key };
  }
  return { kind: "verified", key, record, unsigned };
}

/** Verifies the messages of one answer in their order; some may come without a signature. */
export class TsigVerifier {
  readonly #key: TsigKey;
  #mac: Uint8Array;
  #isFirst = true;
  readonly #unsigned: Uint8Array[] = [];

  constructor(key: TsigKey, requestMac: Uint8Array) {
    this.#key = key;
    this.#mac = requestMac;
  }

  /** Whether all messages so far are signed for: the last one of an answer has to be. */
  get isComplete(): boolean {
    return !this.#isFirst && this.#unsigned.length === 0;
  }

  /** Whether the next message is what it should be; why not. */
  async check(octets: Uint8Array, time: number): Promise<"ok" | "malformed" | "unsigned" | number> {
    const message = parseMessage(octets);
    if (!message.ok) return "malformed";
    const found = findTsig(message.value, octets);
    if (found.kind === "malformed") return "malformed";
    if (found.kind === "unsigned") {
      if (this.#isFirst || this.#unsigned.length >= MOST_UNSIGNED) return "unsigned";
      this.#unsigned.push(octets.slice());
      return "ok";
    }
    const { record, unsigned } = found;
    const after = this.#isFirst ? variablesOf(record) : timersOf(record);
    const signed = concat(withLength(this.#mac), joined(this.#unsigned), unsigned, after);
    const verdict = await judge(signed, {
      ...{ record, unsigned },
      options: { keys: [this.#key], time },
    });
    if (verdict.kind === "refused") return record.error || verdict.error;
    if (verdict.kind !== "verified") return "malformed";
    this.#mac = record.mac;
    this.#isFirst = false;
    this.#unsigned.length = 0;
    return "ok";
  }
}

/** Takes as long for octets that differ early as for those that differ late. */
function isSame(a: Uint8Array, b: Uint8Array): boolean {
  let difference = a.length ^ b.length;
  for (let i = 0; i < b.length; i++) difference |= (a[i] ?? 0) ^ (b[i] as number);
  return difference === 0;
}
