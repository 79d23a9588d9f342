import { parseZoneKeys } from "../dnssec/mod.ts";
import { type KeyPath, quote, type Report } from "../schema/mod.ts";
import type { ConfigFiles } from "../settings/mod.ts";
import { createTsigKey } from "../tsig/mod.ts";
import type { DnsConfig } from "./types.ts";

interface Context {
  readonly report: Report;
  readonly files: ConfigFiles;
}

/** Keys that can be used and are there once, and zones that name keys that are there. */
export function checkZones({ keys, zones }: DnsConfig, context: Context): void {
  const { report, files } = context;
  const names = new Set<string>();
  for (const [i, { name, algorithm, secretFile }] of keys.entries()) {
    const path = ["dns", "keys", i];
    if (names.has(name)) report.problem([...path, "name"], `there are two keys ${quote(name)}`);
    names.add(name);
    if (!secretFile) continue;
    const secret = files.readText(secretFile, [...path, "secret_file"], report);
    const key = secret === undefined
      ? undefined
      : createTsigKey({ name: name || "key", algorithm, secret });
    if (key?.ok === false) {
      report.problem([...path, "secret_file"], `${quote(secretFile)}: ${key.reason}`);
    }
  }
  const origins = new Set<string>();
  for (const [i, zone] of zones.entries()) {
    const path = ["dns", "zones", i];
    if (origins.has(zone.zone)) {
      report.problem([...path, "zone"], `there are two of ${quote(zone.zone)}`);
    }
    origins.add(zone.zone);
    for (const [j, name] of zone.transferKeys.entries()) {
      refuseUnknown(name, [...path, "transfer_keys", j], { names, report });
    }
    for (const [j, { key, name }] of zone.update.entries()) {
      refuseUnknown(key, [...path, "update", j, "key"], { names, report });
      if (name !== zone.zone && !name.endsWith(`.${zone.zone}`)) {
        report.problem([...path, "update", j, "name"], `${quote(name)} is not in the zone`);
      }
    }
    checkZoneKeys(zone.dnssecKeys, [...path, "dnssec_keys"], context);
  }
}

function refuseUnknown(
  name: string,
  path: KeyPath,
  { names, report }: { readonly names: ReadonlySet<string>; readonly report: Report },
): void {
  if (!names.has(name)) report.problem(path, `there is no key ${quote(name)} in [[dns.keys]]`);
}

function checkZoneKeys(
  file: string | undefined,
  path: KeyPath,
  { report, files }: Context,
): void {
  if (!file) return;
  const text = files.readText(file, path, report);
  const keys = text === undefined ? undefined : parseZoneKeys(text);
  if (keys?.ok === false) report.problem(path, `${quote(file)}: ${keys.reason}`);
}
