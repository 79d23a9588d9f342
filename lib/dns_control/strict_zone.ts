import type { Name, ZoneRecord } from "../dns/mod.ts";
import { type FieldProblem, invalidFields } from "../queue/mod.ts";
import { runInSlices, type Steps } from "../slices/mod.ts";
import { cutProblems, type Zone } from "../zones/mod.ts";
import { compiledInSlices } from "./served_zones.ts";

/** The zone, if it keeps every rule; also those that only whoever writes a zone has to keep. */
export async function compiledStrictly(
  origin: Name,
  records: readonly ZoneRecord[],
): Promise<Zone> {
  const compiled = await compiledInSlices(origin, records);
  const problems: FieldProblem[] = [];
  if (!compiled.ok) {
    for (const message of compiled.problems) problems.push({ field: "records", message });
    throw invalidFields(problems);
  }
  await runInSlices(cuts(compiled.zone, problems));
  if (problems.length > 0) throw invalidFields(problems);
  return compiled.zone;
}

/** More problems than this are read by nobody. */
const MAX_PROBLEMS = 100;

function* cuts(zone: Zone, problems: FieldProblem[]): Steps<void> {
  for (const key of zone.nodes.keys()) {
    for (const { message } of cutProblems(key, zone)) problems.push({ field: "records", message });
    if (problems.length >= MAX_PROBLEMS) return;
    yield;
  }
}
