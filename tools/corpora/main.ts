/**
 * Runs what other name servers are tested with, from copies of their repositories outside of this one:
 * `deno run -A tools/corpora/main.ts [--verbose] FOLDER...`. Whatever is found below a folder is tried:
 *
 * - zone files (`*.db`, `*.zone`), read by us and by BIND's `named-compilezone`: who takes them, and the
 *   records that they say
 * - the same zones, asked for each name and type that they have and for some that they have not, of us
 *   and of BIND's `named`
 * - the questions of CoreDNS' tests (`plugin/file/*_test.go`), with the answers that they expect
 *
 * Ends with 1 if anything differs that `known.ts` does not say why.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { runCoreDnsCases } from "./coredns_cases.ts";
import { known } from "./known.ts";
import type { Outcome } from "./outcome.ts";
import { compareAnswers } from "./answers.ts";
import { compareZoneFiles } from "./zone_files.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { verbose: { type: "boolean", default: false } },
});
if (positionals.length === 0) throw new Error("say the folders of the corpora");
let unexplained = 0;
for (const folder of positionals) {
  const { outcomes, zones } = await compareZoneFiles(folder);
  report(`${folder}: zone files`, outcomes);
  report(`${folder}: questions of the same zones`, await compareAnswers(zones));
  report(`${folder}: questions of CoreDNS' tests`, await runCoreDnsCases(folder));
}
Deno.exitCode = unexplained > 0 ? 1 : 0;

function report(what: string, outcomes: readonly Outcome[]): void {
  if (outcomes.length === 0) return;
  const counts = new Map<string, number>();
  for (const { id, kind, detail } of outcomes) {
    const reason = kind === "differs" ? known(id, detail) : undefined;
    const told = reason === undefined ? kind : `differs: ${reason}`;
    counts.set(told, (counts.get(told) ?? 0) + 1);
    if (kind !== "differs") continue;
    if (reason === undefined) unexplained++;
    if (reason === undefined || values.verbose) say(`  ${id}: ${detail}`);
  }
  say(`${what}: ${outcomes.length}`);
  for (const [kind, count] of [...counts].sort()) say(`  ${String(count).padStart(6)} ${kind}`);
}

function say(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}
