import { durationMs } from "@bufbuild/protobuf/wkt";
import type { FleetMember } from "../admin/gen/mod.ts";

/** After so long without a word a proxy is said to be silent; each says something every second. */
const SILENT_MS = 5_000;

/** How a proxy of a group is, in few words. */
export function healthWords(member: FleetMember): string {
  const { health, drainSince, status } = member;
  const silentMs = silentMsOf(member);
  if (silentMs >= SILENT_MS) {
    const silent = `silent for ${Math.round(silentMs / 1000)} s`;
    return drainSince === undefined ? silent : `${silent}, to be drained when it is back`;
  }
  if (drainSince === undefined) return health || "serving";
  if (status?.drained !== true) return "to be drained";
  return status.open === 0n ? "drained" : `draining, ${status.open} open`;
}

/** Whether it takes no new connections, and has none. */
export function isDrained(member: FleetMember | undefined): boolean {
  if (member === undefined || silentMsOf(member) >= SILENT_MS) return false;
  return member.drainSince !== undefined && member.status?.drained === true &&
    member.status.open === 0n;
}

function silentMsOf({ silentFor }: FleetMember): number {
  return silentFor === undefined ? 0 : durationMs(silentFor);
}
