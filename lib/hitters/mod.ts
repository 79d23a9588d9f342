/**
 * Who is heavy: the clients, networks, names and countries that make the most connections,
 * refusals and octets, in fixed memory, however many there are. Each worker watches its own, the
 * control plane adds up what they tell over time. Pure.
 *
 * @module
 */
export { SpaceSaving, type Watched } from "./space_saving.ts";
export {
  HITTER_GROUPS,
  HITTER_WEIGHTS,
  type HitterCount,
  type HitterGroup,
  type HitterWeight,
} from "./count.ts";
export { HitterTracker, TRACKED_PLACES, type Visitor } from "./tracker.ts";
export {
  type Hitter,
  HITTER_WINDOWS,
  type HitterAnswer,
  type HitterQuestion,
  HitterWindows,
} from "./windows.ts";
