import { nextSerial, soaWithSerial, TYPE } from "../dns/mod.ts";
import type { DnsDatabase, EditedZone, ZoneEdit, ZoneRow } from "../dns_store/mod.ts";
import type { Steps } from "../slices/mod.ts";
import type { RuleProblem, Zone, ZoneChange } from "../zones/mod.ts";
import type { DnsOperation } from "./operation.ts";
import { amended, isApex, toSetChange, type WantedSet } from "./set_changes.ts";

/** What the zone has, and what of it is asked for. */
export interface Place {
  readonly row: ZoneRow;
  readonly zone: Zone;
}

/** A change of a zone that was looked at and fits. */
export interface PlannedEdit {
  /** How many rows it changes; 0: the zone is as it is to be. */
  readonly rows: number;
  readonly serial: number;
  readonly write: () => Steps<EditedZone>;
  readonly change: ZoneChange;
  readonly back: ZoneChange;
}

/**
 * Looks at a change of some sets of a zone.
 *
 * @throws {RefusedError} `invalid_argument` if a rule of zones would be broken.
 */
export function planEdit(
  { row, zone }: Place,
  edit: ZoneEdit,
  { database, sets, operation, now, fieldOf }: {
    readonly database: DnsDatabase;
    /** What the sets that it touches become. */
    readonly sets: readonly WantedSet[];
    readonly operation: DnsOperation;
    readonly now: () => number;
    readonly fieldOf: (problem: RuleProblem) => string;
  },
): PlannedEdit {
  const { removed = [], added = [], changed = [] } = edit;
  const rows = removed.length + added.length + changed.length;
  const serial = rows === 0 ? zone.serial : edit.serial ?? nextSerial(zone.serial);
  const soa = sets.find(({ type, name }) => type === TYPE.SOA && isApex({ name }, zone));
  const [current] = soa === undefined
    ? database.records.set(row.id, row.origin, TYPE.SOA)
    : soa.records;
  const others = sets.filter((set) => set !== soa);
  const nextSoa = current === undefined ? [] : [{
    ...{ name: row.origin, type: TYPE.SOA },
    records: [
      { ...current, data: soaWithSerial(current.data, serial) },
      ...soa?.records.slice(1) ?? [],
    ],
  }];
  const noSoa = soa !== undefined && current === undefined ? [soa] : [];
  const changes = [...others, ...nextSoa, ...noSoa].map(toSetChange);
  if (rows > 0) amended(zone, changes, fieldOf);
  return {
    rows,
    serial,
    write: () => database.changeInSteps(row, { ...edit, serial }, { ...operation, time: now() }),
    change: { kind: "amend", origin: zone.origin, sets: changes },
    back: { kind: "set", zone },
  };
}
