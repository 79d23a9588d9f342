/**
 * What the versions of HTTP share: heads, the rules for what a field may hold, the bounds that an
 * operator may set, octets to strings and back, and buffers for output. No version knows another.
 *
 * @module
 */
export { FieldError } from "./field_error.ts";
export { isAuthority, isMethod, isPath, isScheme, isToken, parseContentLength } from "./grammar.ts";
export type { Fields, RequestHead, RequestInit, ResponseHead, ResponseInit } from "./heads.ts";
export type { HttpLimits } from "./limits.ts";
export { latin1, writeLatin1 } from "./latin1.ts";
export { isFieldName, isFieldValue, isSpace, NAME_OCTET, OCTETS, VALUE_OCTET } from "./octets.ts";
export { Output, OutputPool } from "./output.ts";
