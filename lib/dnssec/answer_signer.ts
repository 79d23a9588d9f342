import {
  encodeOpt,
  type Message,
  MessageWriter,
  type OctetString,
  octetString,
  parseMessage,
  ResponseCode,
  TYPE,
} from "../dns/mod.ts";
import { NXNAME } from "./denial.ts";
import { type Proof, proveAnswer, type ProvenSet } from "./proof.ts";
import { Signer, SignerBusyError, type SignerLimits } from "./signer.ts";
import type { SignedZone } from "./signed_zone.ts";

const OPT_OCTETS = 11;
const TRUNCATED = 0x0200;
const CODE_MASK = 0x000f;
/** RFC 8914 §4.31: nobody can ask for what stands for "no such name" (RFC 9824 §3.5). */
const INVALID_TYPE = Uint8Array.of(0, 30);
const EXTENDED_ERROR = 15;

const DEFAULT_LIMITS: SignerLimits = {
  signatureOctets: 64 * 1024 * 1024,
  denialOctets: 16 * 1024 * 1024,
};

/** What tests replace, and what an operator bounds. */
export interface SignerOptions {
  /** Seconds since 1970. */
  readonly now: () => number;
  readonly limits?: Partial<SignerLimits>;
}

/** Of a signer, for whoever operates it. */
export interface SignerStatus {
  readonly made: number;
  readonly signatures: { readonly entries: number; readonly octets: number };
  readonly denials: { readonly entries: number; readonly octets: number };
}

/** A set and its signatures. */
interface SignedSet {
  readonly set: ProvenSet;
  readonly signatures: readonly OctetString[];
}

/** Signs answers from zones that have keys; one for each thread, as it writes into one buffer. */
export class AnswerSigner {
  readonly #now: () => number;
  readonly #signer: Signer;
  readonly #writer = new MessageWriter();

  constructor({ now, limits }: SignerOptions) {
    this.#now = now;
    this.#signer = new Signer({ ...DEFAULT_LIMITS, ...limits });
  }

  get status(): SignerStatus {
    const { made, signatures, denials } = this.#signer;
    return { made, signatures: signatures.size, denials: denials.size };
  }

  /**
   * The same answer with its proofs and signatures, for whoever set DO.
   *
   * @param answer from the zone with its keys, not cut off; octets of ours.
   * @param limit octets of the answer at most; what does not fit is to be asked for over TCP.
   */
  sign(
    answer: Uint8Array,
    { signed, limit }: { readonly signed: SignedZone; readonly limit: number },
  ): Uint8Array<ArrayBuffer> | Promise<Uint8Array<ArrayBuffer>> {
    const message = parseMessage(answer);
    if (!message.ok) throw new TypeError(`an answer of ours is not valid: ${message.reason}`);
    const [question] = message.value.questions;
    const unsigned = { message: message.value, octets: answer, limit };
    if (question?.type === NXNAME) return this.#fail(unsigned, ResponseCode.formatError);
    const proof = proveAnswer(signed.zone, message.value, answer);
    if (proof === undefined) return this.#fail(unsigned, ResponseCode.serverFailure);
    const sets = [...proof.answers, ...proof.authorities].filter(({ isSigned }) => isSigned);
    const now = this.#now();
    try {
      const found = sets.map((set) => this.#signer.signaturesOf(set, signed, now));
      const known = found.filter((one): one is readonly OctetString[] => !(one instanceof Promise));
      if (known.length === found.length) return this.#write(unsigned, proof, pair(sets, known));
      return Promise.all(found).then(
        (made) => this.#write(unsigned, proof, pair(sets, made)),
        () => this.#fail(unsigned, ResponseCode.serverFailure),
      );
    } catch (error) {
      if (error instanceof SignerBusyError) return this.#fail(unsigned, ResponseCode.serverFailure);
      throw error;
    }
  }

  #write(
    unsigned: Unsigned,
    { code, answers, authorities, additionals }: Proof,
    signed: ReadonlyMap<ProvenSet, readonly OctetString[]>,
  ): Uint8Array<ArrayBuffer> {
    const opt = this.#begin(unsigned, code);
    const all = (section: "answer" | "authority", sets: readonly ProvenSet[]) =>
      sets.every((set) => this.#addSigned(section, { set, signatures: signed.get(set) ?? [] }));
    if (!all("answer", answers) || !all("authority", authorities)) {
      this.#writer.setFlags(TRUNCATED);
    } else {
      // What only helps is left out first.
      additionals.every(({ owner, ...set }) => this.#writer.addSet("additional", owner, set));
    }
    if (opt !== undefined) this.#writer.addRaw("additional", opt);
    return this.#writer.finish();
  }

  #addSigned(section: "answer" | "authority", { set, signatures }: SignedSet): boolean {
    const { owner, type, ttl, data } = set;
    if (!this.#writer.addSet(section, owner, { type, ttl, data })) return false;
    if (signatures.length === 0) return true;
    return this.#writer.addSet(section, owner, { type: TYPE.RRSIG, ttl, data: signatures });
  }

  #fail(unsigned: Unsigned, code: number): Uint8Array<ArrayBuffer> {
    const opt = this.#begin(unsigned, code);
    if (opt !== undefined) {
      const value = INVALID_TYPE;
      const options = code === ResponseCode.formatError ? [{ code: EXTENDED_ERROR, value }] : [];
      const payloadOctets = opt[3] as number << 8 | (opt[4] as number);
      this.#writer.addRaw("additional", encodeOpt({ payloadOctets, isDnssecOk: true, options }));
    }
    return this.#writer.finish();
  }

  /** Begins the message anew; the OPT record that belongs at its end. */
  #begin({ message, octets, limit }: Unsigned, code: number): Uint8Array | undefined {
    const [question] = message.questions;
    const last = message.additionals.at(-1);
    const opt = last?.type === TYPE.OPT
      ? octets.subarray(last.data.start - OPT_OCTETS, last.data.end)
      : undefined;
    const flags = (octets[2] as number) << 8 | (octets[3] as number);
    this.#writer.begin({
      id: message.header.id,
      flags: flags & ~(CODE_MASK | TRUNCATED) | code,
      ...{ limit, reserved: opt?.length ?? 0 },
    });
    if (question !== undefined) this.#writer.addQuestion(octetString(question.name), question);
    return opt;
  }
}

/** An answer without signatures, and how long it may be with them. */
interface Unsigned {
  readonly message: Message;
  readonly octets: Uint8Array;
  readonly limit: number;
}

function pair(
  sets: readonly ProvenSet[],
  signatures: readonly (readonly OctetString[])[],
): Map<ProvenSet, readonly OctetString[]> {
  return new Map(sets.map((set, i) => [set, signatures[i] ?? []]));
}
