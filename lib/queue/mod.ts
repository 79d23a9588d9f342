/**
 * Changes one after the other, and why one is refused: what every administration of a program
 * shares.
 *
 * @module
 */
export { MutationQueue } from "./queue.ts";
export {
  type FieldProblem,
  invalid,
  invalidFields,
  missing,
  present,
  type RefusalCode,
  RefusedError,
  refuseProblems,
} from "./refusal.ts";
