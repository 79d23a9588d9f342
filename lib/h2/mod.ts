/**
 * HTTP/2 (RFC 9113) with HPACK (RFC 7541) as a pure core: octets in, events and octets out, for
 * both ends of a connection. No I/O, no clock, no timers.
 *
 * @module
 */
export { Budget } from "./abuse.ts";
export { ChunkQueue } from "./chunk_queue.ts";
export { ErrorCode, errorName, H2FieldError, H2StateError } from "./error_codes.ts";
export { WindowBudget } from "./flow_control.ts";
export { FrameReader, type FrameSink } from "./frame_reader.ts";
export { CLIENT_PREFACE, FrameFlag, FrameType } from "./frames.ts";
export { DEFAULT_TABLE_SIZE, type FieldSink, HpackDecoder } from "./hpack_decoder.ts";
export { BLOCK_OVERHEAD, FIELD_OVERHEAD, HpackEncoder } from "./hpack_encoder.ts";
export { BACKEND_LIMITS, EDGE_LIMITS, type Limits, type Rate } from "./limits.ts";
export { H2Session, type SessionOptions } from "./session.ts";
export { type PeerSettings, SettingId } from "./settings.ts";
// Shared with the other versions of HTTP.
export {
  type Fields,
  isFieldName,
  isFieldValue,
  OutputPool,
  type RequestHead,
  type RequestInit,
  type ResponseHead,
  type ResponseInit,
} from "../http/mod.ts";
export type {
  CloseCause,
  H2Handler,
  H2Stream,
  PartialRequest,
  Refusal,
  ResetCause,
  StreamState,
} from "./types.ts";
