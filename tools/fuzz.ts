/**
 * Fuzzing for as long as one likes: `deno task fuzz [TARGET …] [--seconds N] [--seed S]` tries random
 * inputs on each target for so many seconds (default: 60). An input that fails is shortened and
 * written into the target's corpus, and fuzzing goes on with the next target.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { createRandom } from "../tests/support/fuzz.ts";
import { fuzz } from "../tests/support/fuzz_target.ts";
import { TARGETS } from "../tests/fuzz/targets/mod.ts";

const DEFAULT_SECONDS = 60;

const { values, positionals } = parseArgs({
  args: Deno.args,
  allowPositionals: true,
  options: { seconds: { type: "string" }, seed: { type: "string" } },
});
const seconds = Number(values.seconds ?? DEFAULT_SECONDS);
const seed = Number(values.seed ?? crypto.getRandomValues(new Uint32Array(1))[0]);
const unknown = positionals.filter((name) => !TARGETS.some((target) => target.name === name));
if (unknown.length > 0 || !(seconds > 0) || !Number.isInteger(seed)) {
  say(`unknown: ${unknown.join(", ") || "a number"}`);
  say(`targets: ${TARGETS.map(({ name }) => name).join(" ")}`);
  Deno.exit(2);
}

let found = 0;
for (const target of TARGETS) {
  if (positionals.length > 0 && !positionals.includes(target.name)) continue;
  const end = performance.now() + seconds * 1000;
  const random = createRandom(seed);
  const goesOn = () => performance.now() < end;
  const { tried, finding } = await fuzz(target, { random, goesOn });
  say(`${target.name}: ${tried} inputs (seed ${seed})`);
  if (finding === undefined) continue;
  found++;
  say(`  FAILS, kept as ${finding.path}: ${finding.error.stack}`);
}
Deno.exit(found > 0 ? 1 : 0);

function say(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}
