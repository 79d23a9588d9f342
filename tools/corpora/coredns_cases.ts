import { join } from "node:path";
import {
  encodeQuery,
  nameFromText,
  nameToText,
  parseMessage,
  parseZoneFile,
  rdataToText,
  readRdata,
  typeFromText,
  typeToText,
} from "../../lib/dns/mod.ts";
import { AuthoritativeAnswers, compileZone, ZoneTable } from "../../lib/zones/mod.ts";
import { agrees, difference, differs, type Outcome } from "./outcome.ts";

const CODES: Readonly<Record<string, number>> = {
  RcodeSuccess: 0,
  RcodeServerFailure: 2,
  RcodeNameError: 3,
  RcodeRefused: 5,
};

interface Case {
  readonly id: string;
  readonly name: string;
  readonly type: string;
  readonly code: number;
  readonly isDnssec: boolean;
  readonly answer: readonly string[];
  readonly authority: readonly string[];
  readonly additional: readonly string[];
}

/** Tries the tables of `test.Case` of CoreDNS' plugin `file`, those without DNSSEC. */
export async function runCoreDnsCases(folder: string): Promise<Outcome[]> {
  const plugin = join(folder, "plugin/file");
  const sources = new Map<string, string>();
  try {
    for await (const { name } of Deno.readDir(plugin)) {
      if (name.endsWith(".go")) sources.set(name, await Deno.readTextFile(join(plugin, name)));
    }
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return []; // It is another corpus.
    throw error;
  }
  const all = [...sources.values()].join("\n");
  const constants = constantsOf(all);
  return [...sources].flatMap(([file, source]) => outcomesOf(file, { source, constants, all }));
}

/** Strings of Go by their names. */
function constantsOf(source: string): Map<string, string> {
  const constants = new Map<string, string>();
  for (
    const [, name = "", raw, quoted] of source.matchAll(
      /\b(\w+)\s*:?=\s*(?:`([^`]*)`|"([^"\n]*)")/g,
    )
  ) {
    constants.set(name, raw ?? quoted ?? "");
  }
  return constants;
}

function outcomesOf(
  file: string,
  { source, constants, all }: {
    readonly source: string;
    readonly constants: ReadonlyMap<string, string>;
    readonly all: string;
  },
): Outcome[] {
  const outcomes: Outcome[] = [];
  for (
    const [, test = "", body = ""] of source.matchAll(/\nfunc (Test\w+)\([^\n]*\n([\s\S]*?)\n}/g)
  ) {
    const parsed = /Parse\(strings\.NewReader\((\w+)\), ("[^"]*"|\w+)/.exec(body);
    const table = /range (\w+) {/.exec(body)?.[1];
    if (parsed === null || table === undefined) continue;
    const [, zoneName = "", originWord = ""] = parsed;
    const near = [constantsOf(body), constantsOf(source), constants];
    const constant = (name: string) => near.find((map) => map.has(name))?.get(name);
    const text = constant(zoneName);
    const origin = originWord.startsWith('"') ? originWord.slice(1, -1) : constant(originWord);
    const cases = tableOf(source, table);
    if (text === undefined || origin === undefined || cases === undefined) continue;
    const id = `${file} ${test}`;
    for (const one of casesOf(cases, { id, all })) outcomes.push(tried(one, { text, origin }));
  }
  return outcomes;
}

/** The cases of a table, which is a variable of the file or of a function. */
function tableOf(source: string, name: string): string[] | undefined {
  const head = new RegExp(`\\n(\\t?)(?:var )?${name}\\s*:?=\\s*\\[\\]test\\.Case{\\n`).exec(source);
  if (head === null) return undefined;
  const [, indent = ""] = head;
  const start = head.index + head[0].length;
  const table = source.slice(start, source.indexOf(`\n${indent}}\n`, start));
  return table.split(new RegExp(`\\n${indent}\\t}`));
}

function casesOf(
  table: readonly string[],
  { id, all }: { readonly id: string; readonly all: string },
): Case[] {
  return table.flatMap((text): Case[] => {
    const name = /Qname:\s*"([^"]*)"/.exec(text)?.[1];
    const type = /Qtype:\s*dns\.Type(\w+)/.exec(text)?.[1];
    if (name === undefined || type === undefined) return [];
    const code = CODES[/Rcode:\s*dns\.(\w+)/.exec(text)?.[1] ?? "RcodeSuccess"] ?? 0;
    const isDnssec = /Do:\s*true/.test(text);
    const section = (field: string) => recordsOf(text, { field, all });
    const sections = { answer: section("Answer"), authority: section("Ns") };
    return [{ id, name, type, code, isDnssec, ...sections, additional: section("Extra") }];
  });
}

/** The records of a field of a case, or of the variable that it names. */
function recordsOf(
  text: string,
  { field, all }: { readonly field: string; readonly all: string },
): string[] {
  const own = new RegExp(`\\b${field}:\\s*([\\s\\S]*?)(?:\\n\\t+(?:Answer|Ns|Extra|Rcode):|$)`);
  let found = own.exec(text)?.[1] ?? "";
  const variable = /^(\w+)(?:\[:len\(\w+\)-(\d)\])?,/.exec(found);
  if (variable !== null) {
    const [, name = "", less = "0"] = variable;
    const start =
      new RegExp(`\\n\\s*(?:var )?${name}\\s*:?=\\s*\\[\\]dns\\.RR{`).exec(all)?.index ?? 0;
    found = all.slice(start, all.indexOf("\n}", start) + 1);
    return linesOf(found).slice(0, less === "0" ? undefined : -Number(less));
  }
  return linesOf(found);
}

function linesOf(text: string): string[] {
  return [...text.matchAll(/test\.[A-Z]+\((?:"((?:[^"\\]|\\.)*)"|`([^`]*)`)\)/g)]
    .map(([, quoted, raw]) => raw ?? quoted?.replaceAll('\\"', '"') ?? "");
}

function tried(one: Case, { text, origin }: { text: string; origin: string }): Outcome {
  const what = `${one.id}: ${one.name} ${one.type}`;
  if (one.isDnssec) return agrees(what, "left out: asks for signatures of a zone that was signed");
  const apex = nameFromText(origin);
  const name = nameFromText(one.name);
  const type = typeFromText(one.type);
  if (!apex.ok || !name.ok || !type.ok) return differs(what, "the question cannot be read");
  const { records, problems: [problem] } = parseZoneFile(text, { origin: apex.value });
  if (problem) return differs(what, `we refuse the zone: line ${problem.line}: ${problem.message}`);
  const compiled = compileZone(apex.value, records);
  if (!compiled.ok) return differs(what, `we refuse the zone: ${compiled.problems[0]}`);
  const query = encodeQuery({ id: 1, name: name.value, type: type.value });
  const zones = new ZoneTable([compiled.zone]);
  const octets = new AuthoritativeAnswers().answer(query, { zones, transport: "tcp" });
  const message = octets && parseMessage(octets);
  if (!octets || !message?.ok) return differs(what, "no answer");
  const words = (of: typeof message.value.answers) =>
    of.map(({ name, type, ttl, data }) => {
      const own = readRdata(octets, type, data) ?? new Uint8Array();
      return `${nameToText(name)} ${ttl} ${typeToText(type)} ${rdataToText(type, own)}`
        .toLowerCase();
    });
  const { header, answers, authorities, additionals } = message.value;
  const expected = (lines: readonly string[]) =>
    parseZoneFile(lines.join("\n"), { origin: apex.value }).records.map((
      { name, type, ttl, data },
    ) => `${nameToText(name)} ${ttl} ${typeToText(type)} ${rdataToText(type, data)}`.toLowerCase());
  const found = [
    header.responseCode === one.code ? "" : `code ${header.responseCode} instead of ${one.code}`,
    difference(words(answers), expected(one.answer)),
    // Beside an answer the authority section is a courtesy.
    one.answer.length > 0 ? "" : difference(words(authorities), expected(one.authority)),
    difference(words(additionals), expected(one.additional)),
  ].filter((part) => part !== "").join("; ");
  return found === "" ? agrees(what, "the answer that was expected") : differs(what, found);
}
