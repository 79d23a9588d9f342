/**
 * What comes of a zone from its primary, with serial 8 where there was 7, and with many names more.
 *
 * @module
 */
import { parseZoneFile, type ZoneRecord } from "../../lib/dns/mod.ts";
import type { Transferred } from "../../lib/dns_control/mod.ts";
import { nameOf } from "./dns_server.ts";

/** What is there before. */
export const BEFORE = "$TTL 300\n@ SOA ns host 7 3600 600 604800 60\n@ NS ns\nns A 192.0.2.1\n";
/** How many come: more than one slice of a transaction. */
export const NEW_NAMES = 300;

const NEW = Array.from({ length: NEW_NAMES }, (_, i) => `new${i} A 192.0.2.7\n`).join("");

/** The records of a text. */
export function recordsOf(text: string): ZoneRecord[] {
  return parseZoneFile(text, { origin: nameOf("example.net") }).records as ZoneRecord[];
}

/** A whole zone, or the steps to it. */
export function transferredZone(form: string): Transferred {
  const after = recordsOf(BEFORE.replace(" 7 ", " 8 ") + NEW);
  if (form === "whole") return { kind: "whole", records: after };
  const soa = recordsOf(BEFORE).slice(0, 1);
  const added = after.filter((_, i) => i === 0 || i > 2);
  return { kind: "steps", steps: [{ removed: soa, added }] };
}
