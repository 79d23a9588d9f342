/**
 * Zones of the Domain Name System, and what a server that is the authority for them answers. Pure:
 * records in, octets out.
 *
 * @module
 */
export { type AnswerOptions, AuthoritativeAnswers, type ReplyOptions } from "./answer.ts";
export { amendZone, applyZoneChange, type SetChange, type ZoneChange } from "./amend.ts";
export { compileZone, compileZoneInSteps, type ZoneResult } from "./compile.ts";
export { type CookieQuery, type Query, type QueryRead, readQuery } from "./query.ts";
export { find, type Found } from "./find.ts";
export { apexProblems, cutProblems, nodeProblems, type RuleProblem } from "./rules.ts";
export { type NodeChunk, setOf, type ZoneNode } from "./node_chunk.ts";
export { NodeMap } from "./node_map.ts";
export { unheldZone } from "./unheld.ts";
export { LookUp, type Zone, ZoneTable } from "./zone.ts";
