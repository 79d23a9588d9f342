/**
 * Records as messages of the admin API, for both of its ends. Which fields there are and what form
 * they have, lib/state says; the protocol gives them numbers.
 *
 * @module
 */
export { fromMessage, toMessage, type Unchecked } from "./record.ts";
export {
  rateLimitToMessage,
  ruleToMessage,
  stateFieldName,
  stateFromMessage,
  stateOfAnswer,
  stateToMessage,
  stateToMessageInSteps,
} from "./state.ts";
