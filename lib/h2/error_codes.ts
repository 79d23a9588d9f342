import { FieldError } from "../http/mod.ts";

/** Error codes of RST_STREAM and GOAWAY (RFC 9113 §7). */
export const ErrorCode = Object.freeze({
  noError: 0x0,
  protocolError: 0x1,
  internalError: 0x2,
  flowControlError: 0x3,
  settingsTimeout: 0x4,
  streamClosed: 0x5,
  frameSizeError: 0x6,
  refusedStream: 0x7,
  cancel: 0x8,
  compressionError: 0x9,
  connectError: 0xa,
  enhanceYourCalm: 0xb,
  inadequateSecurity: 0xc,
  http11Required: 0xd,
});

const NAMES: readonly string[] = [
  "NO_ERROR",
  "PROTOCOL_ERROR",
  "INTERNAL_ERROR",
  "FLOW_CONTROL_ERROR",
  "SETTINGS_TIMEOUT",
  "STREAM_CLOSED",
  "FRAME_SIZE_ERROR",
  "REFUSED_STREAM",
  "CANCEL",
  "COMPRESSION_ERROR",
  "CONNECT_ERROR",
  "ENHANCE_YOUR_CALM",
  "INADEQUATE_SECURITY",
  "HTTP_1_1_REQUIRED",
];

/** The name of an error code as RFC 9113 writes it; an unknown one in hexadecimal. */
export function errorName(code: number): string {
  return NAMES[code] ?? `0x${code.toString(16)}`;
}

/** The owner called something that the state of the stream or session does not allow. */
export class H2StateError extends Error {
  override readonly name = "H2StateError";
  /** Stable identifier for logs. */
  readonly code = "H2_STATE";
}

/** The owner tried to send a field that HTTP/2 cannot carry; nothing was written. */
export class H2FieldError extends FieldError {
  override readonly name = "H2FieldError";
  override readonly code = "H2_INVALID_FIELD";
}
