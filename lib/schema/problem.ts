import { formatKeyPath, type KeyPath } from "./key_path.ts";
import type { Position } from "./locate.ts";

/** Something an operator should change, and where. */
export interface Problem {
  /** From 1. */
  readonly line: number;
  /** From 1. */
  readonly column: number;
  /** The path of the setting, such as `listeners[0].addr`; empty for the whole file. */
  readonly key: string;
  readonly message: string;
  /** What was probably meant, as it is written in TOML. */
  readonly suggestion?: string;
  /** Of a text that is not in its form: why not, without the text. */
  readonly reason?: string;
}

/** What a problem may say beside its message. */
export interface ProblemDetails {
  readonly suggestion?: string | undefined;
  readonly reason?: string | undefined;
}

/**
 * One line for a terminal.
 *
 * @example
 * ```ts
 * import { formatProblem } from "./problem.ts";
 * import assert from "node:assert/strict";
 *
 * const problem = { line: 2, column: 1, key: "proxy.idle", message: "unknown key" };
 * assert.equal(formatProblem("mc-proxy.toml", problem), "mc-proxy.toml:2:1: proxy.idle: unknown key");
 * ```
 */
export function formatProblem(file: string, problem: Problem): string {
  const key = problem.key === "" ? "" : `${problem.key}: `;
  const hint = problem.suggestion === undefined ? "" : `; did you mean ${problem.suggestion}?`;
  return `${file}:${problem.line}:${problem.column}: ${key}${problem.message}${hint}`;
}

/** Collects what is found in one file, wherever in it. */
export class Report {
  readonly #positions: ReadonlyMap<string, Position>;
  readonly #problems: Problem[] = [];
  readonly #warnings: Problem[] = [];
  readonly #refused = new Set<string>();

  /** @param positions of the keys of a document; none for what was not read from one. */
  constructor(positions: ReadonlyMap<string, Position> = new Map()) {
    this.#positions = positions;
  }

  /** In the order of the file. */
  get problems(): Problem[] {
    return this.#problems.toSorted(byPosition);
  }

  /** In the order of the file. */
  get warnings(): Problem[] {
    return this.#warnings.toSorted(byPosition);
  }

  /** Whether there is no problem. */
  get isEmpty(): boolean {
    return this.#problems.length === 0;
  }

  /** The configuration cannot be used. */
  problem(path: KeyPath, message: string, details: ProblemDetails = {}): void {
    const problem = this.#place(path, message, details);
    this.#problems.push(problem);
    this.#refused.add(problem.key);
  }

  /** The configuration works, but perhaps not as meant. */
  warning(path: KeyPath, message: string, details: ProblemDetails = {}): void {
    this.#warnings.push(this.#place(path, message, details));
  }

  /** Whether this very setting has been refused. */
  hasProblem(path: KeyPath): boolean {
    return this.#refused.has(formatKeyPath(path));
  }

  #place(path: KeyPath, message: string, { suggestion, reason }: ProblemDetails): Problem {
    return {
      ...this.#position(path),
      key: formatKeyPath(path),
      message,
      ...suggestion !== undefined && { suggestion },
      ...reason !== undefined && { reason },
    };
  }

  /** Of the setting, or, if it is not in the file, of the nearest table around it. */
  #position(path: KeyPath): Position {
    for (let length = path.length; length > 0; length--) {
      const found = this.#positions.get(formatKeyPath(path.slice(0, length)));
      if (found !== undefined) return found;
    }
    return { line: 1, column: 1 };
  }
}

function byPosition(a: Problem, b: Problem): number {
  return a.line - b.line || a.column - b.column;
}
