/** The global function that is asked, at each mutant that is passed, whether that one is on. */
export const SWITCH = "__mcProxyMutant";

/** A mutant and what can notice it. */
export interface Assignment {
  readonly id: number;
  /** The tests that pass the mutant, the quickest first, as places in the order of loading. */
  readonly tests: readonly number[];
}

/**
 * How many places of mutants each test may pass before it counts as hung, by the order of loading.
 * Counted rather than timed: a busy machine changes nothing, and a loop without an end is left by an
 * exception instead of the end of the process.
 */
export type StepLimits = readonly number[];

/** What one process is to do. */
export type Work =
  /** Run each test once without a mutant, and tell which mutants each passes. */
  | { readonly kind: "survey"; readonly testFiles: readonly string[]; readonly mutants: number }
  | {
    readonly kind: "mutants";
    readonly testFiles: readonly string[];
    readonly mutants: readonly Assignment[];
    readonly limits: StepLimits;
  }
  /** Run tests with one mutant that is on from the start, because it is passed on load. */
  | {
    readonly kind: "static";
    readonly testFiles: readonly string[];
    readonly id: number;
    readonly tests: readonly number[];
    readonly limits: StepLimits;
  };

/** What the process answers, one a line. */
export type Answer =
  /** A test has ended: nothing hangs. */
  | { readonly kind: "alive" }
  /** The mutants that are passed while program and tests load, before any test runs. */
  | { readonly kind: "loaded"; readonly passes: readonly number[] }
  /** One test without a mutant. */
  | {
    readonly kind: "surveyed";
    readonly test: number;
    readonly name: string;
    /** In milliseconds of processor time. */
    readonly cost: number;
    /** How many places of mutants it passed, those that it passed again included. */
    readonly steps: number;
    readonly passes: readonly number[];
    readonly failed: boolean;
  }
  | { readonly kind: "load_failed"; readonly reason: string }
  | { readonly kind: "started" | "survived"; readonly id: number }
  | { readonly kind: "killed"; readonly id: number; readonly test: string }
  /** The tests once more at the end, without a mutant; a failure makes the rest worthless. */
  | { readonly kind: "afterwards"; readonly failure?: string };
