/**
 * Reading hostile octets: results that can say "not enough yet", and a cursor that cannot leave its
 * bounds. And putting octets together. Pure.
 *
 * @module
 */
export { concat, joined } from "./concat.ts";
export { Cursor, type Decoded, invalid, NEED, ok } from "./decoded.ts";
export { u16, u32 } from "./integers.ts";
