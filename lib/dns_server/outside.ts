import {
  type EdnsOption,
  encodeOpt,
  foldCase,
  MAX_MESSAGE_BYTES,
  type Message,
  MessageWriter,
  type OctetString,
  octetString,
  parseMessage,
  readRdata,
  type ResourceRecord,
  ResponseCode,
  TYPE,
} from "../dns/mod.ts";
import type { Query } from "../zones/mod.ts";

/** Ways from zone to zone that one question goes; honest ones are one or two. */
const MAX_WAYS = 8;
/** RFC 1035 §4.2.1: to whoever does not say more by EDNS. */
const PLAIN_UDP = 512;
const FLAG = { response: 0x8000, truncated: 0x0200, recursionAvailable: 0x0080 } as const;
/** AA and RD of the first answer: AA is about the name that was asked for (RFC 1035 §4.1.1). */
const KEPT_FLAGS = 0x0500;

/** What is known of a name, and where it leads from there. */
export interface AliasPart {
  /** A whole message, without its EDNS record at most. */
  readonly octets: Uint8Array;
  /** The name that it ends at and says nothing about; undefined: it says all there is. */
  readonly outside: OctetString | undefined;
}

/** How aliases are followed. */
export interface FollowOptions {
  readonly query: Query;
  /** Asks about a name what the query asks; undefined: nobody knows. */
  readonly ask: (name: OctetString) => Promise<AliasPart | undefined>;
  readonly transport: "udp" | "tcp";
  readonly udpPayload: number;
  readonly options: readonly EdnsOption[];
}

interface Section {
  readonly records: readonly ResourceRecord[];
  readonly octets: Uint8Array;
}

/**
 * Follows an alias that leads out of its zone for whoever may have names looked up (RFC 1034 §4.3.2,
 * step 3a): into other zones of ours, or to whom questions are forwarded. The code is that of the last
 * name (RFC 6604 §2.1); a name that comes again, or one too many, ends it.
 */
export async function followAlias(
  first: AliasPart,
  { query, ask, transport, udpPayload, options }: FollowOptions,
): Promise<Uint8Array<ArrayBuffer>> {
  const own = read(first.octets);
  const answers: Section[] = [{ records: own.answers, octets: first.octets }];
  let last = { message: own, octets: first.octets };
  const seen = new Set([query.lookUp.key]);
  let next = first.outside;
  for (let ways = 0; next !== undefined && ways < MAX_WAYS; ways++) {
    const key = foldCase(next);
    if (seen.has(key)) break;
    seen.add(key);
    const part = await ask(next);
    if (part === undefined) break; // Whoever asks goes on alone.
    last = { message: read(part.octets), octets: part.octets };
    answers.push({ records: last.message.answers, octets: part.octets });
    next = part.outside;
  }
  const authorities = { records: last.message.authorities, octets: last.octets };
  const flags = (first.octets[2] as number) << 8 & KEPT_FLAGS | FLAG.response |
    FLAG.recursionAvailable | last.message.header.responseCode;
  return write(query, { answers, authorities, flags }, { transport, udpPayload, options });
}

function write(
  { id, question, lookUp, edns }: Query,
  { answers, authorities, flags }: {
    readonly answers: readonly Section[];
    readonly authorities: Section;
    readonly flags: number;
  },
  { transport, udpPayload, options }: Pick<FollowOptions, "transport" | "udpPayload" | "options">,
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

/** Whether an answer says nothing about a name: nobody is asked about it. */
export function isRefused(octets: Uint8Array): boolean {
  return ((octets[3] as number) & 15) === ResponseCode.refused;
}
