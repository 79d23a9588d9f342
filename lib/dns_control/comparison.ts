import {
  nameKey,
  rdataKey,
  serialOfSoa,
  soaWithSerial,
  TYPE,
  type ZoneRecord,
} from "../dns/mod.ts";
import type { StoredRecord } from "../dns_store/mod.ts";
import type { Steps } from "../slices/mod.ts";

/** To the octet: an operator may want another spelling of a name. */
export function isSame(a: ZoneRecord, b: ZoneRecord): boolean {
  return a.ttl === b.ttl && areEqual(a.name, b.name) && areEqual(a.data, b.data);
}

function areEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((octet, i) => octet === b[i]);
}

/** Records that say the same are one, and a set has the least of its TTLs (RFC 2181 §5.2). */
export function* tidied(records: readonly ZoneRecord[]): Steps<ZoneRecord[]> {
  const ttls = new Map<string, number>();
  const kept = new Map<string, ZoneRecord>();
  for (const record of records) {
    const set = `${nameKey(record.name)} ${record.type}`;
    ttls.set(set, Math.min(ttls.get(set) ?? record.ttl, record.ttl));
    const key = recordKey(record);
    if (!kept.has(key)) kept.set(key, record);
    yield;
  }
  const found: ZoneRecord[] = [];
  for (const record of kept.values()) {
    const ttl = ttls.get(`${nameKey(record.name)} ${record.type}`) ?? record.ttl;
    found.push(ttl === record.ttl ? record : { ...record, ttl });
    yield;
  }
  return found;
}

function recordKey({ name, type, data }: ZoneRecord): string {
  return `${nameKey(name)} ${type} ${rdataKey(type, data)}`;
}

/** What has to change; the SOA record is compared without its serial. */
export function* compare(
  there: readonly StoredRecord[],
  wanted: readonly ZoneRecord[],
) {
  const left = new Map<string, StoredRecord>();
  for (const record of there) {
    left.set(record.type === TYPE.SOA ? "soa" : recordKey(record), record);
    yield;
  }
  const added: ZoneRecord[] = [];
  const changed: { before: StoredRecord; after: StoredRecord }[] = [];
  for (const record of wanted) {
    const isSoa = record.type === TYPE.SOA;
    const key = isSoa ? "soa" : recordKey(record);
    const before = left.get(key);
    left.delete(key);
    if (before === undefined) added.push(record);
    else {
      const serial = isSoa ? serialOfSoa(before.data) : 0;
      const data = isSoa ? soaWithSerial(record.data, serial) : record.data;
      const after = { ...record, data, id: before.id };
      if (!isSame(before, after)) changed.push({ before, after });
    }
    yield;
  }
  return { removed: [...left.values()], added, changed };
}

export function serialOfFile(records: readonly ZoneRecord[]): number | undefined {
  const soa = records.find(({ type }) => type === TYPE.SOA);
  return soa && serialOfSoa(soa.data);
}

export function withSerial(records: readonly ZoneRecord[], serial: number): ZoneRecord[] {
  return records.map((record) => {
    return record.type === TYPE.SOA
      ? { ...record, data: soaWithSerial(record.data, serial) }
      : record;
  });
}
