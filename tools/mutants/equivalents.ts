import { readFileSync } from "node:fs";
import type { Mutant } from "./instrument.ts";

const LIST = new URL("equivalents.json", import.meta.url);

/**
 * A break that changes nothing anybody can observe. It is found by what stands there and where, not
 * by a line number, so that it survives edits elsewhere.
 */
export interface Equivalent extends Pick<Mutant, "file" | "within" | "original" | "replacement"> {
  /** Which of several that are the same otherwise; the first. */
  readonly nth?: number;
  /** Why nothing can be observed. */
  readonly why: string;
}

function readEquivalents(): Equivalent[] {
  return JSON.parse(readFileSync(LIST, "utf8")) as Equivalent[];
}

/** The mutants that no test can notice. */
export function loadEquivalents(): { has(mutant: Mutant): boolean } {
  const keys = new Set(readEquivalents().map(keyOf));
  return { has: (mutant) => keys.has(keyOf(mutant)) };
}

/** A mutant as its entry in the list, but for the reason. */
export function asEquivalent(
  { file, within, original, replacement, nth }: Mutant,
): Omit<Equivalent, "why"> {
  return { file, within, original, replacement, ...nth > 1 && { nth } };
}

/** Entries of these files whose break cannot be made any more: the code was changed. */
export function goneEquivalents(mutants: readonly Mutant[]): Equivalent[] {
  const files = new Set(mutants.map(({ file }) => file));
  const keys = new Set(mutants.map(keyOf));
  return readEquivalents().filter((it) => files.has(it.file) && !keys.has(keyOf(it)));
}

/** What a mutant and its entry in the list have in common. */
function keyOf(
  { file, within, original, replacement, nth = 1 }: Omit<Equivalent, "why">,
): string {
  return [file, within, original, replacement, nth].join("\n");
}
