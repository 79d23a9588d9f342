import { nameToText, rdataKey, typeToText, type ZoneRecord } from "../dns/mod.ts";
import type { StoredRecord } from "../dns_store/mod.ts";
import { invalid, present } from "../queue/mod.ts";
import type { RuleProblem } from "../zones/mod.ts";
import { DEFAULT_TTL, type ReadRecord } from "./parse_requests.ts";

/** RFC 2181 §5.2: the records of a set have one TTL. */
export function ttlFor({ ttl }: ReadRecord, [other]: readonly StoredRecord[]): number {
  if (other === undefined || ttl === other.ttl) return ttl ?? DEFAULT_TTL;
  if (ttl === undefined) return other.ttl;
  throw invalid(
    "ttl",
    `the other records of this name and type have ${other.ttl}: replace the set`,
  );
}

/** A record is there once. */
export function refuseSame({ type, data }: ZoneRecord, there: readonly StoredRecord[]): void {
  const key = rdataKey(type, data);
  const same = there.find((other) => rdataKey(type, other.data) === key);
  if (same === undefined) return;
  throw present(`the record ${same.id}, ${nameToText(same.name)} ${typeToText(type)},`);
}

/** Where in a request for a record a rule was broken. */
export function fieldOfRecord({ type }: RuleProblem): string {
  return type === undefined ? "name" : "type";
}

/** Where in a request for a set. */
export function fieldOfSet({ type }: RuleProblem): string {
  return type === undefined ? "name" : "values";
}
