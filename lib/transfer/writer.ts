import {
  CLASS_IN,
  isLaterSerial,
  MAX_MESSAGE_BYTES,
  MessageWriter,
  type OctetString,
  TYPE,
} from "../dns/mod.ts";
import type { Zone } from "../zones/mod.ts";
import type { TransferQuery } from "./query.ts";

const RESPONSE = 0x8000;
const AUTHORITATIVE = 0x0400;
/** For a signature: the longest name of a key, of an algorithm, and what is beside them. */
const SIGNATURE_OCTETS = 512;
/** RFC 1995 §2: what goes into one datagram is sent in one. */
const UDP_OCTETS = 512;

/** One record. */
export interface TransferRecord {
  readonly name: OctetString;
  readonly type: number;
  readonly ttl: number;
  readonly data: OctetString;
}

/** One change of a zone (RFC 1995 §4): the SOA record of each side first. */
export interface Step {
  readonly from: number;
  readonly to: number;
  readonly removed: readonly TransferRecord[];
  readonly added: readonly TransferRecord[];
}

/** The records of a zone, its SOA record first and nowhere else. */
export function* zoneRecords(zone: Zone): Generator<TransferRecord> {
  yield soaOf(zone);
  for (const { name, sets } of zone.nodes.values()) {
    for (const { type, ttl, data } of sets) {
      if (type === TYPE.SOA) continue;
      for (const own of data) yield { name, type, ttl, data: own };
    }
  }
}

/**
 * The messages of an answer: what changed since the serial of whoever asks if all of it is known and
 * less than the zone, or the zone.
 *
 * @param steps from that serial on; undefined: not known.
 */
export function* transferMessages(
  query: TransferQuery,
  { zone, steps, transport }: {
    readonly zone: Zone;
    readonly steps?: readonly Step[] | undefined;
    readonly transport: "udp" | "tcp";
  },
): Generator<Uint8Array<ArrayBuffer>> {
  const isCurrent = query.serial !== undefined && !isLaterSerial(zone.serial, query.serial);
  const records = isCurrent ? [soaOf(zone)] : differenceOf(query, zone, steps) ?? allRecords(zone);
  if (transport === "tcp") return yield* written(query, records);
  // Who is behind by more than a datagram comes back over TCP.
  const all = [...written(query, records)];
  const [only] = all.length === 1 ? all : [];
  const fits = only !== undefined && only.length <= UDP_OCTETS;
  yield* fits ? all : written(query, [soaOf(zone)]);
}

function* allRecords(zone: Zone): Generator<TransferRecord> {
  yield* zoneRecords(zone);
  yield soaOf(zone);
}

function differenceOf(
  { serial, type }: TransferQuery,
  zone: Zone,
  steps: readonly Step[] | undefined,
): TransferRecord[] | undefined {
  if (type !== TYPE.IXFR || steps?.[0]?.from !== serial || steps?.at(-1)?.to !== zone.serial) {
    return undefined;
  }
  const isUnbroken = steps.every(({ from }, i) => i === 0 || steps[i - 1]?.to === from);
  const soa = soaOf(zone);
  const records = steps.flatMap(({ removed, added }) => [...removed, ...added]);
  let inZone = 0;
  for (const { sets } of zone.nodes.values()) {
    for (const { data } of sets) inZone += data.length;
  }
  return isUnbroken && records.length <= inZone ? [soa, ...records, soa] : undefined;
}

/** Puts records into messages, each as full as can be. */
function* written(
  query: TransferQuery,
  records: Iterable<TransferRecord>,
): Generator<Uint8Array<ArrayBuffer>> {
  const writer = new MessageWriter();
  const begin = () =>
    writer.begin({
      ...{ id: query.id, flags: RESPONSE | AUTHORITATIVE },
      limit: MAX_MESSAGE_BYTES - SIGNATURE_OCTETS,
    });
  begin();
  writer.addQuestion(query.zone, { type: query.type, class: CLASS_IN });
  let count = 0;
  for (const { name, type, ttl, data } of records) {
    const set = { type, ttl, data: [data] };
    if (writer.addSet("answer", name, set)) {
      count++;
      continue;
    }
    if (count > 0) yield writer.finish();
    begin(); // RFC 5936 §2.2.1: the question in the first message alone.
    count = writer.addSet("answer", name, set) ? 1 : 0;
    if (count === 0) throw new RangeError("a record does not fit into a message");
  }
  if (count > 0) yield writer.finish();
}

function soaOf({ origin, apex }: Zone): TransferRecord {
  const soa = apex.sets.find(({ type }) => type === TYPE.SOA);
  const [data] = soa?.data ?? [];
  if (soa === undefined || data === undefined) throw new TypeError("the zone has no SOA record");
  return { name: origin, type: TYPE.SOA, ttl: soa.ttl, data };
}
