/**
 * Zones for tests, made of text.
 *
 * @module
 */
import assert from "node:assert/strict";
import {
  encodeQuery,
  nameToText,
  parseMessage,
  parseZoneFile,
  rdataToText,
  readRdata,
  typeFromText,
  typeToText,
} from "../../lib/dns/mod.ts";
import { AuthoritativeAnswers, compileZone, type Zone, ZoneTable } from "../../lib/zones/mod.ts";
import { nameOf } from "./dns_server.ts";

/** What every zone has to have. */
export const APEX = "@ SOA ns hostmaster 7 3600 600 86400 60\n@ NS ns\nns A 192.0.2.53\n";

/** The zone that a text says, with a TTL of 300 where it does not say one. */
export function zoneOf(origin: string, text: string): Zone {
  const name = nameOf(origin);
  const { records, problems } = parseZoneFile(`$TTL 300\n${text}`, { origin: name });
  assert.deepEqual(problems, []);
  const result = compileZone(name, records);
  assert(result.ok, JSON.stringify(result));
  return result.zone;
}

/** Why a text is no zone. */
export function refusalsOf(origin: string, text: string): readonly string[] {
  const name = nameOf(origin);
  const { records, problems } = parseZoneFile(`$TTL 300\n${text}`, { origin: name });
  assert.deepEqual(problems, []);
  const result = compileZone(name, records);
  return result.ok ? [] : result.problems;
}

/** A message in words, each section's records in order of the alphabet. */
export interface ReadAnswer {
  readonly code: number;
  /** `aa` and `tc`, if they are set. */
  readonly flags: readonly string[];
  readonly answer: readonly string[];
  readonly authority: readonly string[];
  readonly additional: readonly string[];
}

/** What a message says. */
export function readAnswer(octets: Uint8Array): ReadAnswer {
  const message = parseMessage(octets);
  assert(message.ok, JSON.stringify(message));
  const { header, answers, authorities, additionals } = message.value;
  const words = (records: typeof answers) =>
    records.flatMap(({ name, type, ttl, data }) => {
      if (type === 41) return [];
      const own = readRdata(octets, type, data);
      assert(own !== undefined, `data of ${typeToText(type)}`);
      return [`${nameToText(name)} ${ttl} ${typeToText(type)} ${rdataToText(type, own)}`.trim()];
    }).sort();
  return {
    code: header.responseCode,
    flags: [...header.isAuthoritative ? ["aa"] : [], ...header.isTruncated ? ["tc"] : []],
    answer: words(answers),
    authority: words(authorities),
    additional: words(additionals),
  };
}

/** Asks for `a.example. MX`, also for signatures if there is EDNS and `isDnssecOk` says so. */
export function queryFor(text: string, udpPayloadBytes?: number, isDnssecOk = false): Uint8Array {
  const [name = "", type = ""] = text.split(" ");
  const number = typeFromText(type);
  assert(number.ok);
  return encodeQuery({
    ...{ id: 0x1234, name: nameOf(name), type: number.value },
    ...udpPayloadBytes !== undefined && { udpPayloadBytes, isDnssecOk },
  });
}

/** What zones answer. */
export function ask(
  zones: readonly Zone[],
  question: string,
  { transport = "udp", udpPayloadBytes }: {
    readonly transport?: "udp" | "tcp";
    readonly udpPayloadBytes?: number;
  } = {},
): ReadAnswer {
  const octets = new AuthoritativeAnswers().answer(queryFor(question, udpPayloadBytes), {
    zones: new ZoneTable(zones),
    transport,
  });
  assert(octets !== undefined);
  return readAnswer(octets);
}
