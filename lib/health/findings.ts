import type { CheckResult } from "../balance/mod.ts";
import type { Verdict } from "./shared_checks.ts";

/** What is known of one backend beside what this proxy's own checks have found. */
export interface Known {
  /** How it is held to be now. */
  readonly held: CheckResult;
  /** What other proxies of the group have found. */
  readonly verdict: Verdict;
  /** Whether this proxy checks it for the group, whatever others find. */
  readonly isOurs: boolean;
}

/**
 * What is made of checks of one backend, by this proxy and by others of its group. What this one has
 * found itself counts before all that others say: a backend is taken down for long only where it was
 * found failing, and one proxy that is cut off, or lies, takes it down nowhere else. Others are believed
 * that it is well while all of them say so; and that it is not while more say so than not, until the own
 * check that follows at once is done.
 */
export class Findings {
  /** By own checks, as long as they go on. */
  #own: CheckResult = "unknown";
  /** Own results in a row that are against that. */
  #against = 0;

  /** By own checks alone. */
  get own(): CheckResult {
    return this.#own;
  }

  /** Notes what an own check has found. The first one counts at once where nothing is known. */
  note(
    found: "passing" | "failing",
    { fall, rise }: { readonly fall: number; readonly rise: number },
    { held, verdict }: Known,
  ): void {
    const before = this.#own === "unknown" ? held : this.#own;
    if (before === found) return this.#take(found);
    this.#against++;
    const isFirst = this.#own === "unknown";
    // Others have found it failing; or it was their word alone, and here it is well.
    const isEnough = before === "unknown" ||
      (found === "failing" ? isFirst && verdict.failing > 0 : isFirst || isPassing(verdict));
    const needed = isEnough ? 1 : found === "failing" ? fall : rise;
    if (this.#against >= needed) this.#take(found);
  }

  /** How the backend is to be held; nothing: as before. */
  result({ verdict }: Pick<Known, "verdict">): CheckResult | undefined {
    if (this.#own !== "unknown") return this.#own;
    if (isPassing(verdict)) return "passing";
    return verdict.failing > verdict.passing ? "failing" : undefined;
  }

  /** Whether others look after it, and nothing is left to find out. */
  isSettled({ verdict, isOurs }: Pick<Known, "verdict" | "isOurs">): boolean {
    if (isOurs) return false;
    const { passing, failing } = verdict;
    return this.#own === "failing" ? failing > 0 && passing === 0 : isPassing(verdict);
  }

  /** Own checks end: a backend that was well is so because others say it from now on. */
  rest(): void {
    this.#against = 0;
    if (this.#own === "passing") this.#own = "unknown";
  }

  #take(found: CheckResult): void {
    this.#own = found;
    this.#against = 0;
  }
}

function isPassing({ passing, failing }: Verdict): boolean {
  return passing > 0 && failing === 0;
}
