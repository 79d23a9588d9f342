import type { OctetString } from "../dns/mod.ts";
import { setOf, type Zone, type ZoneNode } from "../zones/mod.ts";
import { isBelow } from "./grant.ts";
import { type Prerequisite, UPDATE_CODE } from "./message.ts";

/**
 * Whether all is as it has to be (RFC 2136 §3.2.5): the code of the answer, 0 if it is. Names count
 * as they are written: no wildcard stands for another one.
 */
export function checkPrerequisites(zone: Zone, prerequisites: readonly Prerequisite[]): number {
  /** Of sets that have to be equal, by name and type. */
  const wanted = new Map<string, { key: OctetString; type: number; data: Set<OctetString> }>();
  for (const prerequisite of prerequisites) {
    const { key } = prerequisite.kind === "record" ? prerequisite.record : prerequisite;
    if (key !== zone.apexKey && !isBelow(key, zone.apexKey)) return UPDATE_CODE.notZone;
    const node = nodeOf(zone, key);
    switch (prerequisite.kind) {
      case "name":
        if (prerequisite.isThere && node === undefined) return UPDATE_CODE.nameError;
        if (!prerequisite.isThere && node !== undefined) return UPDATE_CODE.yxDomain;
        break;
      case "set": {
        const isThere = node !== undefined && setOf(node, prerequisite.type) !== undefined;
        if (prerequisite.isThere && !isThere) return UPDATE_CODE.nxRrset;
        if (!prerequisite.isThere && isThere) return UPDATE_CODE.yxRrset;
        break;
      }
      case "record": {
        const { type, data } = prerequisite.record;
        const id = `${type} ${key}`;
        const set = wanted.get(id) ?? { key, type, data: new Set() };
        wanted.set(id, set);
        set.data.add(data);
      }
    }
  }
  const areEqual = [...wanted.values()].every(({ key, type, data }) => {
    const node = nodeOf(zone, key);
    const own = node && setOf(node, type)?.data;
    return own?.length === data.size && own.every((one) => data.has(one));
  });
  return areEqual ? UPDATE_CODE.noError : UPDATE_CODE.nxRrset;
}

/** A name that has records; one that only has names below it is not in use (RFC 2136 §3.2.4). */
function nodeOf(zone: Zone, key: OctetString): ZoneNode | undefined {
  const node = zone.nodes.get(key);
  return node === undefined || node.sets.length === 0 ? undefined : node;
}
