/**
 * Zones of the Domain Name System, and what a server that is the authority for them answers. Pure:
 * records in, octets out.
 *
 * @module
 */
export { type AnswerOptions, AuthoritativeAnswers, type ReplyOptions } from "./answer.ts";
export {
  type AmendOptions,
  amendZone,
  applyZoneChange,
  type SetChange,
  type ZoneChange,
} from "./amend.ts";
export { compileZone, compileZoneInSteps, type ZoneResult } from "./compile.ts";
export { type CookieQuery, type Query, type QueryRead, readQuery } from "./query.ts";
export { find, type Found } from "./find.ts";
export { apexProblems, cutProblems, nodeProblems, type RuleProblem } from "./rules.ts";
export { LookUp, setOf, type Zone, type ZoneNode, ZoneTable } from "./zone.ts";
