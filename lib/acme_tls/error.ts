/** The other side does not speak TLS 1.3 as this needs it; the message holds none of its octets. */
export class AcmeTlsError extends Error {
  override readonly name = "AcmeTlsError";
  readonly code = "acme_tls";
}
