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
export function checkZones(dns: DnsConfig, context: Context): void {
  const { keys, zones } = dns;
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
    const { notifyKey } = zone;
    if (notifyKey !== undefined) {
      refuseUnknown(notifyKey, [...path, "notify_key"], { names, report });
    }
    for (const [j, { key, name }] of zone.update.entries()) {
      refuseUnknown(key, [...path, "update", j, "key"], { names, report });
      if (name !== zone.zone && !name.endsWith(`.${zone.zone}`)) {
        report.problem([...path, "update", j, "name"], `${quote(name)} is not in the zone`);
      }
    }
    checkZoneKeys(zone.dnssecKeys, [...path, "dnssec_keys"], context);
  }
  checkSecondaries(dns, { names, report });
}

/** Zones that have primaries, are not the root, and are changed by nobody else. */
function checkSecondaries(
  { secondary, zones }: DnsConfig,
  { names, report }: { readonly names: ReadonlySet<string>; readonly report: Report },
): void {
  const origins = new Set<string>();
  for (const [i, own] of secondary.entries()) {
    const path = ["dns", "secondary", i];
    const { zone, primaries, key } = own;
    if (zone === ".") report.problem([...path, "zone"], "the root is not served here");
    if (origins.has(zone)) report.problem([...path, "zone"], `there are two of ${quote(zone)}`);
    origins.add(zone);
    if (primaries.length === 0 && !report.hasProblem([...path, "primaries"])) {
      report.problem([...path, "primaries"], "is empty");
    }
    if (key !== undefined) refuseUnknown(key, [...path, "key"], { names, report });
    for (const what of ["refresh", "retry"] as const) {
      const [least, most] = what === "refresh"
        ? [own.minRefreshMs, own.maxRefreshMs]
        : [own.minRetryMs, own.maxRetryMs];
      if (least > most) report.problem([...path, `min_${what}`], `is over max_${what}`);
    }
    const beside = zones.findIndex((other) => other.zone === zone && other.update.length > 0);
    if (beside < 0) continue;
    report.problem(
      ["dns", "zones", beside, "update"],
      `${quote(zone)} is a secondary zone: it is changed at its primary`,
    );
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
