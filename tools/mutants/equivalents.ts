import { readFileSync } from "node:fs";
import type { Mutant } from "./instrument.ts";

const LIST = new URL("equivalents.json", import.meta.url);

/** Breaks that change nothing anybody can observe, by file, what stands there, and instead. */
interface Equivalent {
  readonly file: string;
  readonly original: string;
  readonly replacement: string;
  /** Why nothing can be observed. */
  readonly why: string;
}

/** The mutants that no test can notice. */
export function loadEquivalents(): { has(mutant: Mutant): boolean } {
  const list = JSON.parse(readFileSync(LIST, "utf8")) as Equivalent[];
  const keys = new Set(list.map(keyOf));
  return { has: (mutant) => keys.has(keyOf(mutant)) };
}

function keyOf(
  { file, original, replacement }: Pick<Mutant, "file" | "original" | "replacement">,
): string {
  return [file, original, replacement].join("\n");
}
