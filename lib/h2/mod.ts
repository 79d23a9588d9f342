/**
 * HTTP/2 (RFC 9113) with HPACK (RFC 7541) as a pure core: octets in, events and octets out, for
 * both ends of a connection. No I/O, no clock, no timers.
 *
 * @module
 */
export { ErrorCode, errorName, H2FieldError, H2StateError } from "./error_codes.ts";
export { isFieldName, isFieldValue } from "./field_names.ts";
export { FrameReader, type FrameSink } from "./frame_reader.ts";
export { CLIENT_PREFACE, FrameFlag, FrameType } from "./frames.ts";
export { DEFAULT_TABLE_SIZE, type FieldSink, HpackDecoder } from "./hpack_decoder.ts";
export { BLOCK_OVERHEAD, FIELD_OVERHEAD, HpackEncoder } from "./hpack_encoder.ts";
export { BACKEND_LIMITS, EDGE_LIMITS, type Limits, type Rate } from "./limits.ts";
export { OutputPool } from "./output.ts";
export { H2Session, type SessionOptions } from "./session.ts";
export { type PeerSettings, SettingId } from "./settings.ts";
export type {
  CloseCause,
  Fields,
  H2Handler,
  H2Stream,
  Refusal,
  RequestHead,
  RequestInit,
  ResetCause,
  ResponseHead,
  ResponseInit,
  StreamState,
} from "./types.ts";
