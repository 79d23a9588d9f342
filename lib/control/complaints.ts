import { type FieldProblem, invalidFields, RefusedError } from "../queue/mod.ts";

/** Gathers what is wrong with the fields of a request, so that all of it is told at once. */
export class Complaints {
  readonly #problems = new Map<string, FieldProblem>();

  /** Runs `body`, and gathers what it has against fields; any other error is the caller's. */
  async hear(body: () => void | Promise<void>): Promise<void> {
    try {
      await body();
    } catch (error) {
      if (!(error instanceof RefusedError) || error.problems.length === 0) throw error;
      for (const problem of error.problems) this.#problems.set(problem.field, problem);
    }
  }

  /** @throws {RefusedError} if anything was gathered. */
  refuse(): void {
    if (this.#problems.size > 0) throw invalidFields([...this.#problems.values()]);
  }
}
