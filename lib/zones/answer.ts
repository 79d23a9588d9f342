import {
  CLASS_IN,
  type EdnsOption,
  encodeOpt,
  foldCase,
  MessageWriter,
  type OctetString,
  type RecordSet,
  ResponseCode,
  TYPE,
} from "../dns/mod.ts";
import { addAddresses } from "./additional.ts";
import { find } from "./find.ts";
import { setOf, type ZoneNode } from "./node_chunk.ts";
import { type Query, readQuery } from "./query.ts";
import { LookUp, type Zone, type ZoneTable } from "./zone.ts";

/** What every network passes on in one piece (DNS flag day 2020). */
const UDP_PAYLOAD = 1232;
/** RFC 1035 §4.2.1: to whoever does not say more by EDNS. */
const PLAIN_UDP = 512;
/** Aliases within the zone that are followed for whoever asks. */
const MAX_ALIASES = 16;
/** Of OPT without options, and of the head of each option. */
const OPT_OCTETS = 11;
const OPTION_HEAD_OCTETS = 4;
/** Octets of a name (RFC 1035 §2.3.4). */
const MAX_NAME = 255;

const FLAG = {
  response: 0x8000,
  authoritative: 0x0400,
  truncated: 0x0200,
  recursion: 0x0100,
  recursionAvailable: 0x0080,
} as const;
const CODE = {
  ...ResponseCode,
  serverFailure: 2,
  refused: 5,
  yxDomain: 6,
  badVersion: 16,
} as const;

/** How a question came, and what is said beside the answer. */
export interface AnswerOptions {
  readonly zones: ZoneTable;
  readonly transport: "udp" | "tcp";
  /** Octets of an answer over UDP at most, whatever the client takes. Default: 1,232. */
  readonly udpPayload?: number;
  /** Whether this client's questions are forwarded; default: `false`. */
  readonly isRecursive?: boolean;
  /** Options of EDNS that the answer has, if the question had EDNS. */
  readonly options?: readonly EdnsOption[];
}

/** {@link AnswerOptions} of what is not looked up. */
export type ReplyOptions = Omit<AnswerOptions, "zones">;

/** Answers questions from zones; one for each thread, as it writes into one buffer. */
export class AuthoritativeAnswers {
  readonly #writer = new MessageWriter();
  /**
   * Where the last answer led: a name of another zone that an alias points to and about which it says
   * nothing. Undefined: nowhere.
   */
  outside: OctetString | undefined;

  /** The answer to a message; undefined: it gets none. */
  answer(octets: Uint8Array, options: AnswerOptions): Uint8Array | undefined {
    const read = readQuery(octets);
    if (read.kind === "none") return undefined;
    return read.kind === "query" ? this.answerQuery(read.query, options) : read.answer;
  }

  /** The answer to a question. */
  answerQuery(query: Query, options: AnswerOptions): Uint8Array<ArrayBuffer> {
    this.outside = undefined;
    this.#begin(query, options);
    const code = this.#fill(query, options.zones);
    return this.#finish(query, code, options);
  }

  /** An answer that has nothing but its code, and perhaps says that the whole one is to be had over TCP. */
  reply(
    query: Query,
    { code, isTruncated = false }: { readonly code: number; readonly isTruncated?: boolean },
    options: ReplyOptions,
  ): Uint8Array<ArrayBuffer> {
    this.#begin(query, options);
    if (isTruncated) this.#writer.setFlags(FLAG.truncated);
    return this.#finish(query, code, options);
  }

  #begin(
    query: Query,
    { transport, udpPayload = UDP_PAYLOAD, isRecursive = false, options }: ReplyOptions,
  ): void {
    const { id, recursionDesired, question, lookUp, edns } = query;
    const udp = edns === undefined ? PLAIN_UDP : Math.min(edns.payloadOctets, udpPayload);
    this.#writer.begin({
      id,
      flags: FLAG.response | (recursionDesired ? FLAG.recursion : 0) |
        (isRecursive ? FLAG.recursionAvailable : 0),
      limit: transport === "udp" ? udp : 0xffff,
      reserved: edns === undefined ? 0 : octetsOfOpt(options),
    });
    this.#writer.addQuestion(lookUp.name, question);
  }

  #finish(
    { edns }: Query,
    code: number,
    { udpPayload = UDP_PAYLOAD, options = [] }: ReplyOptions,
  ): Uint8Array<ArrayBuffer> {
    this.#writer.setFlags(code & 15);
    if (edns !== undefined) {
      const { isDnssecOk } = edns;
      const opt = { payloadOctets: udpPayload, isDnssecOk, extendedCode: code >> 4, options };
      this.#writer.addRaw("additional", encodeOpt(opt));
    }
    return this.#writer.finish();
  }

  /** Writes the records; the response code. */
  #fill({ question, lookUp, edns }: Query, zones: ZoneTable): number {
    if (edns !== undefined && edns.version !== 0) return CODE.badVersion;
    const { type } = question;
    if (question.class !== CLASS_IN) return CODE.refused;
    if (type === TYPE.AXFR || type === TYPE.IXFR) return CODE.refused;
    const zone = zones.of(lookUp, { isParents: type === TYPE.DS });
    if (zone === undefined) return CODE.refused;
    return zone.isExpired === true ? CODE.serverFailure : this.#follow(zone, { lookUp, type });
  }

  /** Follows aliases within the zone. */
  #follow(
    zone: Zone,
    { lookUp, type }: { readonly lookUp: LookUp; readonly type: number },
  ): number {
    let owner = lookUp;
    let seen: Set<OctetString> | undefined;
    for (let aliases = 0; aliases <= MAX_ALIASES; aliases++) {
      const step = this.#step(zone, { owner, type });
      if (typeof step === "number") return step;
      seen ??= new Set([owner.key]);
      owner = new LookUp(step);
      // A loop: whoever asks goes on alone.
      if (seen.has(owner.key)) return CODE.noError;
      if (!owner.isBelow(zone.apexKey)) {
        this.outside = owner.name;
        return CODE.noError;
      }
      seen.add(owner.key);
    }
    return CODE.noError;
  }

  /** One name: the response code, or the name that it is an alias for. */
  #step(
    zone: Zone,
    { owner, type }: { readonly owner: LookUp; readonly type: number },
  ): number | OctetString {
    const found = find(zone, owner, { isParents: type === TYPE.DS });
    switch (found.kind) {
      case "delegation":
        return this.#refer(zone, found);
      case "below_alias":
        return this.#substitute(owner, { ...found, type });
      case "no_name":
        this.#authoritative();
        this.#negative(zone);
        return CODE.nameError;
      case "node":
        return this.#fromNode(zone, { node: found.node, owner, type });
    }
  }

  #fromNode(
    zone: Zone,
    { node, owner, type }: {
      readonly node: ZoneNode;
      readonly owner: LookUp;
      readonly type: number;
    },
  ): number | OctetString {
    this.#authoritative();
    const alias = type === TYPE.CNAME || type === TYPE.ANY ? undefined : setOf(node, TYPE.CNAME);
    if (alias !== undefined) {
      if (!this.#add(owner.name, alias)) return CODE.noError;
      return alias.data[0] as OctetString;
    }
    // RFC 8482 §4.1: one set stands for all of them.
    const set = type === TYPE.ANY ? node.sets[0] : setOf(node, type);
    if (set === undefined) {
      this.#negative(zone);
      return CODE.noError;
    }
    if (this.#add(owner.name, set)) addAddresses(this.#writer, set, { zone, owner: owner.name });
    return CODE.noError;
  }

  /** RFC 1034 §4.3.2 step 3b: not our answer, but where to ask. */
  #refer(
    zone: Zone,
    { node, servers }: { readonly node: ZoneNode; readonly servers: RecordSet },
  ): number {
    if (!this.#writer.addSet("authority", node.name, servers)) {
      this.#writer.setFlags(FLAG.truncated);
      return CODE.noError;
    }
    const missing = addAddresses(this.#writer, servers, {
      ...{ zone, owner: node.name, cut: foldCase(node.name) },
    });
    // RFC 9471 §3.1: without all glue that there is, whoever asks would not get any further.
    if (missing) this.#writer.setFlags(FLAG.truncated);
    return CODE.noError;
  }

  /**
   * RFC 6672 §3.1: the alias, and one for the name alone that every resolver knows to read. To who asks
   * for aliases that is all there is to say, whether its target is there or not.
   */
  #substitute(
    owner: LookUp,
    { node, alias, type }: {
      readonly node: ZoneNode;
      readonly alias: RecordSet;
      readonly type: number;
    },
  ): number | OctetString {
    this.#authoritative();
    if (!this.#add(node.name, alias)) return CODE.noError;
    const target = owner.name.slice(0, -node.name.length) + alias.data[0];
    if (target.length > MAX_NAME) return CODE.yxDomain;
    const one: RecordSet = { type: TYPE.CNAME, ttl: alias.ttl, data: [target] };
    const isOver = !this.#add(owner.name, one) || type === TYPE.CNAME;
    return isOver ? CODE.noError : target;
  }

  #authoritative(): void {
    this.#writer.setFlags(FLAG.authoritative);
  }

  #negative(zone: Zone): void {
    if (!this.#writer.addSet("authority", zone.origin, zone.negative)) {
      this.#writer.setFlags(FLAG.truncated);
    }
  }

  /** Whether there was room; if not, the message says that it is not whole. */
  #add(owner: OctetString, set: RecordSet): boolean {
    const fits = this.#writer.addSet("answer", owner, set);
    if (!fits) this.#writer.setFlags(FLAG.truncated);
    return fits;
  }
}

function octetsOfOpt(options: readonly EdnsOption[] = []): number {
  return options.reduce((sum, { value }) => sum + OPTION_HEAD_OCTETS + value.length, OPT_OCTETS);
}
