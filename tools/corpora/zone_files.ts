import { join } from "node:path";
import {
  type Name,
  nameFromText,
  octetsOf,
  parseZoneFile,
  rdataToText,
  TYPE,
  type ZoneRecord,
} from "../../lib/dns/mod.ts";
import { compileZone, type Zone } from "../../lib/zones/mod.ts";
import { agrees, difference, differs, type Outcome } from "./outcome.ts";

/** A zone that both take. */
export interface SharedZone {
  readonly id: string;
  readonly origin: string;
  /** As BIND writes it. */
  readonly text: string;
  readonly zone: Zone;
}

/** What BIND does not look at: it is the file's syntax and its records that count. */
const LENIENT = ["-i", "none", "-k", "ignore", "-m", "ignore", "-M", "ignore", "-S", "ignore"];
const ALSO_LENIENT = ["-n", "ignore", "-r", "ignore", "-W", "ignore", "-T", "ignore"];

/** Reads every zone file below a folder, and has BIND do the same. */
export async function compareZoneFiles(
  folder: string,
): Promise<{ readonly outcomes: readonly Outcome[]; readonly zones: readonly SharedZone[] }> {
  const outcomes: Outcome[] = [];
  const zones: SharedZone[] = [];
  for (const path of await zoneFilesBelow(folder)) {
    const id = path.slice(folder.length + 1);
    const text = latin1(await Deno.readFile(path));
    if (/\$(?:INCLUDE|GENERATE)/i.test(text)) {
      outcomes.push(agrees(id, "left out: $INCLUDE or $GENERATE, which are refused"));
      continue;
    }
    if (/@[A-Z_]+@|\{\{/.test(text)) {
      outcomes.push(agrees(id, "left out: a template"));
      continue;
    }
    const first = await compare(id, text);
    // Many leave TTLs to a default of NSD: there is more to see with one.
    const isWithout = first?.outcome.kind === REFUSED && !/^\$TTL/m.test(text);
    const tried = isWithout ? await compare(id, `$TTL 3600\n${text}`) : first;
    if (tried === undefined) continue;
    outcomes.push(tried.outcome);
    if (tried.zone !== undefined) zones.push(tried.zone);
  }
  return { outcomes, zones };
}

const REFUSED = "refused by both";

interface Compared {
  readonly outcome: Outcome;
  readonly zone?: SharedZone;
}

async function compare(id: string, text: string): Promise<Compared | undefined> {
  const origin = originOf(text);
  const name = nameFromText(origin);
  if (!name.ok) return undefined;
  const theirs = await compiledByBind(text, origin);
  const { records, problems: [problem] } = parseZoneFile(text, { origin: name.value });
  const compiled = problem === undefined ? compileZone(name.value, records) : undefined;
  const isOurs = compiled?.ok === true;
  if (theirs.refusal !== undefined) {
    if (!isOurs) return { outcome: agrees(id, REFUSED) };
    return { outcome: differs(id, `BIND refuses: ${theirs.refusal}`) };
  }
  if (!isOurs) {
    const why = compiled?.ok === false
      ? compiled.problems[0]
      : `line ${problem?.line}: ${problem?.message}`;
    return { outcome: differs(id, `we refuse: ${why}`) };
  }
  const own = textsOf(records.filter(({ type }) => type !== TYPE.SOA));
  const other = textsOf(
    recordsOf(theirs.text, name.value).filter(({ type }) => type !== TYPE.SOA),
  );
  const found = difference(own, other);
  const outcome = found === "" ? agrees(id, "the same records") : differs(id, found);
  return { outcome, zone: { id, origin, text: theirs.text, zone: compiled.zone } };
}

async function zoneFilesBelow(folder: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const path = join(folder, name);
    if (isDirectory && name !== ".git") found.push(...await zoneFilesBelow(path));
    else if (/\.(?:db|zone)\d*$/.test(name)) found.push(path);
  }
  return found.sort();
}

/** Whose zone a file is: that of its SOA record, where it says so in full. */
function originOf(text: string): string {
  let origin: string | undefined;
  for (const line of text.split("\n")) {
    origin = /^\$ORIGIN\s+(\S+\.)\s*(?:;.*)?$/i.exec(line)?.[1] ?? origin;
    const owner = /^(\S+)\s+(?:\S+\s+){0,2}SOA\s/i.exec(line)?.[1];
    if (owner === undefined) continue;
    if (owner.endsWith(".")) return owner;
    return origin ?? "example.";
  }
  return origin ?? "example.";
}

async function compiledByBind(
  text: string,
  origin: string,
): Promise<{ readonly text: string; readonly refusal?: string }> {
  const [input, output] = [await Deno.makeTempFile(), await Deno.makeTempFile()];
  try {
    await Deno.writeFile(input, octetsOf(text));
    const args = [...LENIENT, ...ALSO_LENIENT, "-s", "full", "-F", "text", "-o", output];
    const { success, stdout } = await new Deno.Command("named-compilezone", {
      args: [...args, origin, input],
      stderr: "null",
    }).output();
    if (success) return { text: latin1(await Deno.readFile(output)) };
    return { text: "", refusal: refusalIn(new TextDecoder().decode(stdout)) };
  } finally {
    await Deno.remove(input);
    await Deno.remove(output);
  }
}

/** The last lines say what it came to, which is not what it came from. */
function refusalIn(output: string): string {
  const lines = output.trim().split("\n").filter((line) => !/not loaded due to errors/.test(line));
  return lines.at(-1) ?? "";
}

function recordsOf(text: string, origin: Name): readonly ZoneRecord[] {
  const { records, problems } = parseZoneFile(text, { origin });
  const [problem] = problems;
  if (problem !== undefined) return [];
  return records;
}

function textsOf(records: readonly ZoneRecord[]): string[] {
  return records.map(({ name, type, data }) =>
    `${latin1(name).toLowerCase().replace(/[^ -~]/g, ".")} ${type} ${rdataToText(type, data)}`
  );
}

function latin1(octets: Uint8Array): string {
  let text = "";
  for (const octet of octets) text += String.fromCharCode(octet);
  return text;
}
