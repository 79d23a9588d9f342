/** The polynomial 0x1EDC6F41 with its bits reversed (RFC 4960, Appendix B). */
const POLYNOMIAL = 0x82f63b78;

const TABLE: Uint32Array = Uint32Array.from({ length: 256 }, (_, octet) => {
  let remainder = octet;
  for (let bit = 0; bit < 8; bit++) {
    remainder = remainder & 1 ? remainder >>> 1 ^ POLYNOMIAL : remainder >>> 1;
  }
  return remainder;
});

/** The CRC32C checksum of some octets, unsigned. */
export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const octet of bytes) crc = crc >>> 8 ^ (TABLE[(crc ^ octet) & 255] as number);
  return ~crc >>> 0;
}
