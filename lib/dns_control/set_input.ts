import { type Name, rdataKey, TYPE, type ZoneRecord } from "../dns/mod.ts";
import type { StoredRecord, ZoneEdit } from "../dns_store/mod.ts";
import { type FieldProblem, invalid, invalidFields } from "../queue/mod.ts";
import { isSame } from "./comparison.ts";
import { DEFAULT_TTL, readOwner, readTtl, readType, readValue } from "./parse_requests.ts";

/** One name and type of a request. */
export interface SetName {
  readonly name: string;
  readonly type: string;
}

/** What a set is to be. */
export interface SetInput {
  readonly ttl?: number | undefined;
  /** Each as a zone file has it; at least one. */
  readonly values: readonly string[];
}

/** More values of one set do not go into an answer (64 KiB) whatever they are. */
const MAX_VALUES = 4096;

export function readSetName(origin: Name, { name, type }: SetName) {
  const problems: FieldProblem[] = [];
  const owner = readOwner(name, { origin, problems, field: "name" });
  const number = readType(type, { problems, field: "type" });
  if (owner === undefined || number === undefined) throw invalidFields(problems);
  return { name: owner, type: number };
}

export function readSet(
  origin: Name,
  { name, type, there }: {
    readonly name: Name;
    readonly type: number;
    readonly there: readonly StoredRecord[];
  },
  { ttl = there[0]?.ttl ?? DEFAULT_TTL, values }: SetInput,
): ZoneRecord[] {
  const problems: FieldProblem[] = [];
  if (values.length === 0) throw invalid("values", "there is none: remove the set instead");
  if (values.length > MAX_VALUES) throw invalid("values", `over ${MAX_VALUES}`);
  readTtl(ttl, { problems, field: "ttl" });
  const seen = new Set<string>();
  const records = values.flatMap((value, i) => {
    const field = `values[${i}]`;
    const data = readValue(type, value, { origin, problems, field });
    if (data === undefined) return [];
    const key = rdataKey(type, data);
    if (seen.has(key)) problems.push({ field, message: "it is there twice" });
    seen.add(key);
    return [{ name, type, ttl, data }];
  });
  if (problems.length > 0) throw invalidFields(problems);
  return records;
}

/** What has to change for a set to be what it is to be. */
export function compareSets(there: readonly StoredRecord[], wanted: readonly ZoneRecord[]) {
  const left = new Map(there.map((record) => [rdataKey(record.type, record.data), record]));
  const added: ZoneRecord[] = [];
  const changed: { before: StoredRecord; after: StoredRecord }[] = [];
  // There is one SOA record, which keeps its id whatever it says.
  const soa = wanted[0]?.type === TYPE.SOA && wanted.length === 1 ? there[0] : undefined;
  for (const record of wanted) {
    const key = rdataKey(record.type, record.data);
    const before = soa ?? left.get(key);
    left.delete(soa === undefined ? key : rdataKey(soa.type, soa.data));
    if (before === undefined) added.push(record);
    else if (!isSame(before, record)) changed.push({ before, after: { ...record, id: before.id } });
  }
  const edit: ZoneEdit = { removed: [...left.values()], added, changed };
  return { edit, records: wanted };
}
