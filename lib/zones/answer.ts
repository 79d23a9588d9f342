import {
  CLASS_IN,
  type Edns,
  encodeOpt,
  type Message,
  MessageWriter,
  type Name,
  nameKey,
  parseMessage,
  partsOf,
  type Question,
  readEdns,
  type RecordSet,
  ResponseCode,
  TYPE,
} from "../dns/mod.ts";
import { find } from "./find.ts";
import { labelStarts, type Zone, type ZoneNode, type ZoneTable } from "./zone.ts";

const HEADER_OCTETS = 12;
/** What every network passes on in one piece (DNS flag day 2020). */
const UDP_PAYLOAD = 1232;
/** RFC 1035 §4.2.1: to whoever does not say more by EDNS. */
const PLAIN_UDP = 512;
/** Aliases within the zone that are followed for whoever asks. */
const MAX_ALIASES = 16;
/** RFC 6672 §2.2: the name that an alias leads to would be too long. */
const NAME_TOO_LONG = "too_long";
const MAX_NAME = 255;

const FLAG = { response: 0x8000, authoritative: 0x0400, truncated: 0x0200, recursion: 0x0100 };
const CODE = {
  ...ResponseCode,
  serverFailure: 2,
  refused: 5,
  yxDomain: 6,
  badVersion: 16,
} as const;
const OPCODE_QUERY = 0;

/** How a question came. */
export interface AnswerOptions {
  readonly zones: ZoneTable;
  readonly transport: "udp" | "tcp";
}

/** What is asked and how, of one message. */
interface Asked {
  readonly question: Question;
  readonly edns: Edns | undefined;
  readonly transport: "udp" | "tcp";
}

/** Answers questions from zones; one for each thread, as it writes into one buffer. */
export class AuthoritativeAnswers {
  readonly #writer = new MessageWriter();

  /**
   * The answer to a message; undefined: it gets none, as it is no question at all (answers to answers
   * have no end).
   */
  answer(octets: Uint8Array, { zones, transport }: AnswerOptions): Uint8Array | undefined {
    if (octets.length < HEADER_OCTETS || ((octets[2] as number) & 0x80) !== 0) return undefined;
    const message = parseMessage(octets);
    if (!message.ok) return headOnly(octets, CODE.formatError);
    const { header, questions } = message.value;
    if (header.opcode !== OPCODE_QUERY) return headOnly(octets, CODE.notImplemented);
    const [question] = questions;
    const edns = readEdns(message.value, octets);
    if (question === undefined || questions.length > 1 || edns === "invalid") {
      return headOnly(octets, CODE.formatError);
    }
    const asked: Asked = { question, edns, transport };
    this.#begin(message.value, asked);
    const code = this.#fill(asked, zones);
    this.#end(asked, code);
    return this.#writer.finish();
  }

  #begin({ header }: Message, { question, edns, transport }: Asked): void {
    const udp = edns === undefined ? PLAIN_UDP : Math.min(edns.payloadOctets, UDP_PAYLOAD);
    const flags = FLAG.response | (header.recursionDesired ? FLAG.recursion : 0);
    this.#writer.begin({
      id: header.id,
      flags,
      limit: transport === "udp" ? udp : 0xffff,
      reserved: edns === undefined ? 0 : encodeOpt({ payloadOctets: 0, isDnssecOk: false }).length,
    });
    this.#writer.addQuestion(question.name, question);
  }

  #end({ edns }: Asked, code: number): void {
    this.#writer.setFlags(code & 15);
    if (edns === undefined) return;
    const { isDnssecOk } = edns;
    const extendedCode = code >> 4;
    this.#writer.addRaw(
      "additional",
      encodeOpt({ payloadOctets: UDP_PAYLOAD, isDnssecOk, extendedCode }),
    );
  }

  /** Writes the records; the response code. */
  #fill({ question, edns }: Asked, zones: ZoneTable): number {
    if (edns !== undefined && edns.version !== 0) return CODE.badVersion;
    const { name, type } = question;
    if (question.class !== CLASS_IN) return CODE.refused;
    if (type === TYPE.AXFR || type === TYPE.IXFR) return CODE.refused;
    const isParents = type === TYPE.DS;
    const zone = zones.of(name, { isParents });
    if (zone === undefined) return CODE.refused;
    return this.#follow(zone, { name, type });
  }

  /** Follows aliases within the zone. */
  #follow(zone: Zone, { name, type }: { readonly name: Name; readonly type: number }): number {
    const seen = new Set([nameKey(name)]);
    let owner = name;
    for (let aliases = 0; aliases <= MAX_ALIASES; aliases++) {
      const step = this.#step(zone, { owner, type });
      if (typeof step === "number") return step;
      // A loop, or a name of another zone: whoever asks goes on alone.
      const key = nameKey(step);
      if (seen.has(key) || !isIn(zone, step)) return CODE.noError;
      seen.add(key);
      owner = step;
    }
    return CODE.noError;
  }

  /** One name: the response code, or the name that it is an alias for. */
  #step(
    zone: Zone,
    { owner, type }: { readonly owner: Name; readonly type: number },
  ): number | Name {
    const found = find(zone, owner, { isParents: type === TYPE.DS });
    switch (found.kind) {
      case "delegation":
        return this.#refer(zone, found);
      case "below_alias":
        return this.#substitute(owner, found);
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
    { node, owner, type }: { readonly node: ZoneNode; readonly owner: Name; readonly type: number },
  ): number | Name {
    this.#authoritative();
    const { sets } = node;
    const alias = sets.get(TYPE.CNAME);
    if (alias !== undefined && type !== TYPE.CNAME && type !== TYPE.ANY) {
      if (!this.#add(owner, alias)) return CODE.noError;
      return alias.data[0] as Name;
    }
    // RFC 8482 §4.1: one set stands for all of them.
    const set = type === TYPE.ANY ? sets.values().next().value : sets.get(type);
    if (set === undefined) {
      this.#negative(zone);
      return CODE.noError;
    }
    if (this.#add(owner, set)) this.#addAddresses(zone, set);
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
    const missing = this.#addAddresses(zone, servers, { below: node.name });
    // RFC 9471 §3.1: without all glue that there is, whoever asks would not get any further.
    if (missing) this.#writer.setFlags(FLAG.truncated);
    return CODE.noError;
  }

  /** RFC 6672 §3.1: the alias, and one for the name alone that every resolver knows to read. */
  #substitute(
    owner: Name,
    { node, alias }: { readonly node: ZoneNode; readonly alias: RecordSet },
  ): number | Name {
    this.#authoritative();
    if (!this.#add(node.name, alias)) return CODE.noError;
    const target = replaceEnd(owner, { end: node.name, by: alias.data[0] as Name });
    if (target === NAME_TOO_LONG) return CODE.yxDomain;
    const one: RecordSet = { type: TYPE.CNAME, ttl: alias.ttl, data: [target] };
    return this.#add(owner, one) ? target : CODE.noError;
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
  #add(owner: Name, set: RecordSet): boolean {
    const fits = this.#writer.addSet("answer", owner, set);
    if (!fits) this.#writer.setFlags(FLAG.truncated);
    return fits;
  }

  /** The addresses that the zone has of the names in a set; whether some had no room. */
  #addAddresses(zone: Zone, { type, data }: RecordSet, options: { below?: Name } = {}): boolean {
    let missing = false;
    for (const target of targetsOf(type, data)) {
      if (!isIn(zone, target)) continue;
      const node = zone.nodes.get(nameKey(target));
      for (const kind of node === undefined ? [] : [TYPE.A, TYPE.AAAA]) {
        const set = node?.sets.get(kind);
        if (set === undefined || this.#writer.addSet("additional", target, set)) continue;
        missing ||= options.below !== undefined && isBelow(target, options.below);
      }
    }
    return missing;
  }
}

/** An answer that says nothing but its code; the question may be what cannot be read. */
function headOnly(octets: Uint8Array, code: number): Uint8Array {
  const head = new Uint8Array(HEADER_OCTETS);
  head.set(octets.subarray(0, 3));
  // The opcode and RD as they came (RFC 1035 §4.1.1).
  head[2] = (head[2] as number) & 0x79 | FLAG.response >> 8;
  head[3] = code;
  return head;
}

/** The names whose addresses whoever asks wants next. */
function targetsOf(type: number, data: readonly Uint8Array[]): Name[] {
  if (type !== TYPE.NS && type !== TYPE.MX && type !== TYPE.SRV) return [];
  return data.flatMap((own) => {
    const name = partsOf(type, own).find(({ part }) => part === "name");
    return name === undefined ? [] : [own.subarray(name.start, name.end)];
  });
}

function isIn(zone: Zone, name: Name): boolean {
  return isBelow(name, zone.origin);
}

/** Whether a name is another one or below it. */
function isBelow(name: Name, top: Name): boolean {
  const start = name.length - top.length;
  return start >= 0 && labelStarts(name).includes(start) &&
    nameKey(name.subarray(start)) === nameKey(top);
}

function replaceEnd(
  name: Name,
  { end, by }: { readonly end: Name; readonly by: Name },
): Name | typeof NAME_TOO_LONG {
  const kept = name.length - end.length;
  if (kept + by.length > MAX_NAME) return NAME_TOO_LONG;
  const whole = new Uint8Array(kept + by.length);
  whole.set(name.subarray(0, kept));
  whole.set(by, kept);
  return whole;
}
