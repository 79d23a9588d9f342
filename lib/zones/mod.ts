/**
 * Zones of the Domain Name System, and what a server that is the authority for them answers. Pure:
 * records in, octets out.
 *
 * @module
 */
export { type AnswerOptions, AuthoritativeAnswers } from "./answer.ts";
export { compileZone, type ZoneResult } from "./compile.ts";
export { find, type Found } from "./find.ts";
export { LookUp, setOf, type Zone, type ZoneNode, ZoneTable } from "./zone.ts";
