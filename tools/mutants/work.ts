/** A mutant and the tests that reach its file. */
export interface Assignment {
  readonly id: number;
  /** `file:` addresses, a part of {@link Work.testFiles}. */
  readonly testFiles: readonly string[];
}

/** What one process is to do. */
export interface Work {
  readonly testFiles: readonly string[];
  readonly mutants: readonly Assignment[];
  /** The mutant that is on from the start, for those that are evaluated while modules load. */
  readonly onWhileLoading?: number;
}

/** What the process answers, one a line. */
export type Answer =
  /** A test has ended: nothing hangs. */
  | { readonly kind: "alive" }
  /** Without any mutant; a failure makes the rest worthless. */
  | { readonly kind: "baseline" | "afterwards"; readonly failure?: string }
  | { readonly kind: "load_failed"; readonly reason: string }
  | { readonly kind: "started" | "survived"; readonly id: number }
  | { readonly kind: "killed"; readonly id: number; readonly test: string };
