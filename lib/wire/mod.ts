/**
 * Reading hostile octets: results that can say "not enough yet", and a cursor that cannot leave its
 * bounds. Pure.
 *
 * @module
 */
export { Cursor, type Decoded, invalid, NEED, ok } from "./decoded.ts";
