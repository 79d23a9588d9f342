const HEADER_OCTETS = 12;

/**
 * An answer that says nothing but its code: the id, the opcode and RD as they came (RFC 1035 §4.1.1),
 * and no question, which may be what cannot be read.
 *
 * @param octets of the message, a header at least.
 */
export function answerCode(octets: Uint8Array, code: number): Uint8Array<ArrayBuffer> {
  const head = new Uint8Array(HEADER_OCTETS);
  head.set(octets.subarray(0, 3));
  head[2] = (head[2] as number) & 0x79 | 0x80;
  head[3] = code;
  return head;
}
