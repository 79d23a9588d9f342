import {
  type Name,
  nameToText,
  octetsOf,
  type OctetString,
  octetString,
  rdataToText,
  type RecordSet,
  TYPE,
  typeToText,
} from "../dns/mod.ts";
import { find, LookUp, setOf, type Zone, type ZoneTable } from "../zones/mod.ts";

/** What a question would be answered. */
export type Verdict =
  | "answer"
  | "no_data"
  | "no_name"
  | "delegation"
  | "expired"
  | "not_authoritative";

/** Why a question would be answered as it would be. */
export interface Explanation {
  readonly verdict: Verdict;
  /** That was asked first; absent: none has the name. */
  readonly zone?: string;
  /** What was looked at, one sentence each. */
  readonly steps: readonly string[];
  /** Of the answer's section, or of a referral; as zone files have them. */
  readonly records: readonly string[];
  /** The name outside of the zone that it leads to: it is looked up for whoever may ask for that. */
  readonly outside?: string | undefined;
}

/** As the answers do it. */
const MAX_ALIASES = 16;

/** Follows a question through the zones as answers do, and says what it meets. */
export function explainName(
  zones: ZoneTable,
  { name, type }: { readonly name: Name; readonly type: number },
): Explanation {
  const isParents = type === TYPE.DS;
  let owner = new LookUp(octetString(name));
  const zone = zones.of(owner, { isParents });
  if (zone === undefined) {
    const step = `no zone of this server has ${nameToText(name)}`;
    return { verdict: "not_authoritative", steps: [step], records: [] };
  }
  const steps = [`${nameToText(name)} is in the zone ${textOf(zone.origin)} (${zone.serial})`];
  if (zone.isExpired === true) {
    steps.push("its primary has not vouched for it for too long: the answer is SERVFAIL");
    return { verdict: "expired", zone: textOf(zone.origin), steps, records: [] };
  }
  const records: string[] = [];
  const found = { zone: textOf(zone.origin), steps, records };
  const seen = new Set<OctetString>();
  for (let aliases = 0; aliases <= MAX_ALIASES; aliases++) {
    if (seen.has(owner.key)) {
      steps.push(`${textOf(owner.name)} was followed already: a loop`);
      return { verdict: "answer", ...found };
    }
    seen.add(owner.key);
    const next = step(zone, { owner, type, isParents, steps, records });
    if (typeof next === "string") return { verdict: next as Verdict, ...found };
    owner = new LookUp(next.target);
    if (owner.isBelow(zone.apexKey)) continue;
    const outside = textOf(owner.name);
    steps.push(
      `${outside} is not in this zone: it is looked up for who may have names looked up, ` +
        "others go on alone",
    );
    return { verdict: "answer", ...found, outside };
  }
  steps.push(`${MAX_ALIASES} aliases were followed: whoever asks goes on alone`);
  return { verdict: "answer", ...found };
}

function step(
  zone: Zone,
  { owner, type, isParents, steps, records }: {
    readonly owner: LookUp;
    readonly type: number;
    readonly isParents: boolean;
    readonly steps: string[];
    readonly records: string[];
  },
): Verdict | { readonly target: OctetString } {
  const found = find(zone, owner, { isParents });
  const text = textOf(owner.name);
  switch (found.kind) {
    case "no_name":
      steps.push(`there is no ${text}, and no wildcard that stands for it`);
      return "no_name";
    case "delegation":
      steps.push(`the zone is cut at ${textOf(found.node.name)}: its servers are asked instead`);
      records.push(...linesOf(found.node.name, found.servers));
      return "delegation";
    case "below_alias": {
      const target = owner.name.slice(0, -found.node.name.length) + found.alias.data[0];
      steps.push(`${textOf(found.node.name)} is a DNAME: ${text} is ${textOf(target)}`);
      records.push(...linesOf(found.node.name, found.alias));
      // It is all that was asked for.
      if (type === TYPE.CNAME) return "answer";
      return { target };
    }
    case "node": {
      const { node, isWildcard } = found;
      if (isWildcard) steps.push(`the wildcard ${textOf(node.name)} stands for ${text}`);
      const alias = type === TYPE.CNAME ? undefined : setOf(node, TYPE.CNAME);
      if (alias !== undefined) {
        const target = alias.data[0] as OctetString;
        steps.push(`${text} is an alias of ${textOf(target)}`);
        records.push(...linesOf(owner.name, alias));
        return { target };
      }
      const set = setOf(node, type);
      if (set === undefined) {
        const types = node.sets.map((other) => typeToText(other.type)).join(", ");
        steps.push(
          `${text} is there and has no ${typeToText(type)}${types === "" ? "" : `, but ${types}`}`,
        );
        return "no_data";
      }
      steps.push(`${text} has ${typeToText(type)}`);
      records.push(...linesOf(owner.name, set));
      return "answer";
    }
  }
}

function linesOf(owner: OctetString, { type, ttl, data }: RecordSet): string[] {
  return data.map((own) => {
    return `${textOf(owner)} ${ttl} IN ${typeToText(type)} ${rdataToText(type, octetsOf(own))}`;
  });
}

function textOf(name: OctetString): string {
  return nameToText(octetsOf(name));
}
