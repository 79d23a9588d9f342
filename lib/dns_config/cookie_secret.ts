/** The secret of DNS cookies that a file holds (RFC 9018 §4.4: 128 bits); nothing if it holds none. */
export function parseCookieSecret(text: string): Uint8Array | undefined {
  const digits = text.trim();
  return /^[0-9a-fA-F]{32}$/.test(digits) ? Uint8Array.fromHex(digits) : undefined;
}
