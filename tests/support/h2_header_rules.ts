/**
 * Which octets fields of HTTP/2 may have.
 *
 * @module
 */

/** One character of a name, which has no capitals in HTTP/2. */
export const TOKEN_OCTET = /[!#$%&'*+\-.^_`|~0-9A-Za-z]/;

/** Whether an octet of a value is seen, unlike spaces and controls. */
export const isVisible = (octet: number) => octet > 0x20 && octet !== 0x7f;
