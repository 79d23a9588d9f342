import {
  type Name,
  nameEquals,
  nameFromZoneText,
  nameToText,
  rdataFromValue,
  TYPE,
  typeToText,
} from "../dns/mod.ts";
import { type FieldProblem, invalid, invalidFields } from "../queue/mod.ts";
import { DEFAULT_TTL, octetText, readTtl } from "./parse_requests.ts";

/** What a zone begins with. */
export interface NewZone {
  /** Names of its servers, relative to the zone unless they end in a dot. */
  readonly nameServers: readonly string[];
  /** Whom to write to, as a name; default: `hostmaster` of the zone. */
  readonly mailbox?: string | undefined;
  readonly ttl?: number | undefined;
}

/** Refresh, retry, expire, negative answers (RFC 1912 §2.2, RFC 2308 §5). */
const TIMES = "3600 900 1209600 300";

/** An SOA record and the name servers. */
export function firstRecords(origin: Name, { nameServers, mailbox, ttl = DEFAULT_TTL }: NewZone) {
  const problems: FieldProblem[] = [];
  readTtl(ttl, { problems, field: "ttl" });
  const [first] = nameServers;
  if (first === undefined) throw invalid("name_servers", "there is none");
  const record = (type: number, field: string, text: string) => {
    const data = rdataFromValue(type, octetText(text), { origin });
    if (data.ok) return [{ name: origin, type, ttl, data: data.value }];
    problems.push({ field, message: `${typeToText(type)}: ${data.reason}` });
    return [];
  };
  const servers = nameServers.map((text, i) => {
    const name = nameFromZoneText(octetText(text), origin);
    if (!name.ok) problems.push({ field: `name_servers[${i}]`, message: name.reason });
    return name.ok ? name.value : undefined;
  });
  const owner = nameFromZoneText(octetText(mailbox ?? "hostmaster"), origin);
  if (!owner.ok) problems.push({ field: "mailbox", message: owner.reason });
  if (problems.length > 0) throw invalidFields(problems);
  if (servers.some((one, i) => servers.findIndex((it) => sameName(it, one)) < i)) {
    throw invalid("name_servers", "one is there twice");
  }
  const soa = `${textOf(servers[0])} ${owner.ok ? nameToText(owner.value) : ""} 1 ${TIMES}`;
  const records = [
    ...record(TYPE.SOA, "mailbox", soa),
    ...servers.flatMap((name, i) => record(TYPE.NS, `name_servers[${i}]`, textOf(name))),
  ];
  if (problems.length > 0) throw invalidFields(problems);
  return records;
}

function sameName(a: Name | undefined, b: Name | undefined): boolean {
  return a !== undefined && b !== undefined && nameEquals(a, b);
}

function textOf(name: Name | undefined): string {
  return name === undefined ? "" : nameToText(name);
}
