/**
 * Long work on a thread that others need too: a step at a time, and a turn for the others when it has
 * taken long enough.
 *
 * @module
 */
export {
  mapInSteps,
  runAtOnce,
  runInSlices,
  Slices,
  type SlicesOptions,
  type Steps,
} from "./slices.ts";
