import type { IpAddress } from "../addr/mod.ts";
import {
  type EdnsOption,
  encodeOpt,
  encodeQuery,
  foldCase,
  MAX_MESSAGE_BYTES,
  type Message,
  MessageWriter,
  octetsOf,
  type OctetString,
  octetString,
  parseMessage,
  readRdata,
  type ResourceRecord,
  ResponseCode,
  TYPE,
} from "../dns/mod.ts";
import { LookUp, type Query, type ReplyOptions, type ZoneTable } from "../zones/mod.ts";
import type { DnsCounters } from "./counters.ts";
import type { Forwarder } from "./forwarder.ts";

/** Ways from zone to zone that one question goes; honest ones are one or two. */
const MAX_WAYS = 8;
/** RFC 1035 §4.2.1: to whoever does not say more by EDNS. */
const PLAIN_UDP = 512;
const FLAG = { response: 0x8000, truncated: 0x0200, recursionAvailable: 0x0080 } as const;
/** AA and RD of the first answer: AA is about the name that was asked for (RFC 1035 §4.1.1). */
const KEPT_FLAGS = 0x0500;

/** AD and CD of a question: what whoever is asked on is to know. */
const PASSED_ON = 0x30;

/** What is known of a name, and where it leads from there. */
interface AliasPart {
  /** A whole message. */
  readonly octets: Uint8Array;
  /** The name that it ends at and says nothing about; undefined: it says all there is. */
  readonly outside: OctetString | undefined;
}

/** What {@link OutsideAliases} are given. */
export interface OutsideAliasesOptions {
  readonly counters: DnsCounters;
  readonly forwarder: Forwarder | undefined;
  /** Octets of an answer over UDP at most. */
  readonly udpPayload: number;
}

/** What belongs to one question. */
export interface AliasedQuestion {
  /** The fourth octet of its message. */
  readonly flags: number;
  readonly address: IpAddress;
  readonly zones: ZoneTable;
  /** What the zones here say about a question, whole. */
  readonly alone: (query: Query) => {
    readonly pending: Uint8Array | Promise<Uint8Array>;
    readonly outside: OctetString | undefined;
  };
}

interface Section {
  readonly records: readonly ResourceRecord[];
  readonly octets: Uint8Array;
}

/**
 * Follows aliases that lead out of their zone for whoever may have names looked up (RFC 1034 §4.3.2,
 * step 3a): into other zones of ours, or to whom questions are forwarded. The code is that of the last
 * name (RFC 6604 §2.1); a name that comes again, or one too many, ends it.
 */
export class OutsideAliases {
  readonly #options: OutsideAliasesOptions;

  constructor(options: OutsideAliasesOptions) {
    this.#options = options;
  }

  /** The answer to a question whose own answer ends at a name outside. */
  async answer(
    query: Query,
    { transport, options = [] }: ReplyOptions,
    asked: AliasedQuestion,
  ): Promise<Uint8Array<ArrayBuffer>> {
    const first = await part(asked.alone(query));
    const own = read(first.octets);
    const answers: Section[] = [{ records: own.answers, octets: first.octets }];
    let last = { message: own, octets: first.octets };
    const seen = new Set([query.lookUp.key]);
    let next = first.outside;
    for (let ways = 0; next !== undefined && ways < MAX_WAYS; ways++) {
      const key = foldCase(next);
      if (seen.has(key)) break;
      seen.add(key);
      const found = await this.#ask(next, query, asked);
      if (found === undefined) break; // Whoever asks goes on alone.
      last = { message: read(found.octets), octets: found.octets };
      answers.push({ records: last.message.answers, octets: found.octets });
      next = found.outside;
    }
    const authorities = { records: last.message.authorities, octets: last.octets };
    const flags = (first.octets[2] as number) << 8 & KEPT_FLAGS | FLAG.response |
      FLAG.recursionAvailable | last.message.header.responseCode;
    const { udpPayload } = this.#options;
    return write(query, { answers, authorities, flags }, { transport, udpPayload, options });
  }

  async #ask(
    name: OctetString,
    query: Query,
    { flags, address, zones, alone }: AliasedQuestion,
  ): Promise<AliasPart | undefined> {
    const { question: { type, class: kind }, edns } = query;
    const lookUp = new LookUp(name);
    const owner = octetsOf(name);
    if (zones.of(lookUp, { isParents: type === TYPE.DS }) !== undefined) {
      return await part(alone({ ...query, lookUp, question: { name: owner, type, class: kind } }));
    }
    const { counters, forwarder, udpPayload } = this.#options;
    counters.add("forwarded");
    const message = encodeQuery({
      ...{ id: 0, name: owner, type, flags: flags & PASSED_ON },
      ...edns && { udpPayloadBytes: udpPayload, isDnssecOk: edns.isDnssecOk },
    });
    const octets = await forwarder?.resolve(message, { address, transport: "tcp" });
    const isKnown = octets !== undefined &&
      ((octets[3] as number) & 15) !== ResponseCode.refused;
    return isKnown ? { octets, outside: undefined } : undefined;
  }
}

async function part(
  { pending, outside }: ReturnType<AliasedQuestion["alone"]>,
): Promise<AliasPart> {
  return { octets: await pending, outside };
}

function write(
  { id, question, lookUp, edns }: Query,
  { answers, authorities, flags }: {
    readonly answers: readonly Section[];
    readonly authorities: Section;
    readonly flags: number;
  },
  { transport, udpPayload, options }: {
    readonly transport: "udp" | "tcp";
    readonly udpPayload: number;
    readonly options: readonly EdnsOption[];
  },
): Uint8Array<ArrayBuffer> {
  const opt = edns && encodeOpt({
    ...{ payloadOctets: udpPayload, isDnssecOk: edns.isDnssecOk, options },
  });
  const udp = edns === undefined ? PLAIN_UDP : Math.min(edns.payloadOctets, udpPayload);
  const writer = new MessageWriter();
  writer.begin({
    ...{ id, flags, limit: transport === "udp" ? udp : MAX_MESSAGE_BYTES },
    reserved: opt?.length ?? 0,
  });
  writer.addQuestion(lookUp.name, question);
  const add = (section: "answer" | "authority", { records, octets }: Section) =>
    records.every(({ name, type, ttl, data: place }) => {
      if (type === TYPE.OPT) return true;
      const data = readRdata(octets, type, place);
      return data !== undefined &&
        writer.addSet(section, octetString(name), { type, ttl, data: [octetString(data)] });
    });
  const fits = answers.every((part) => add("answer", part)) && add("authority", authorities);
  if (!fits) writer.setFlags(FLAG.truncated);
  if (opt !== undefined) writer.addRaw("additional", opt);
  return writer.finish();
}

function read(octets: Uint8Array): Message {
  const message = parseMessage(octets);
  if (message.ok) return message.value;
  throw new TypeError(`an answer of ours is not valid: ${message.reason}`);
}
