import { ErrorCode } from "./error_codes.ts";
import { DEFAULT_MAX_FRAME, LARGEST_MAX_FRAME, MAX_31_BITS, readU32 } from "./frames.ts";
import { DEFAULT_TABLE_SIZE } from "./hpack_decoder.ts";

/** Identifiers of settings (RFC 9113 §6.5.2, RFC 8441 §3). */
export const SettingId = Object.freeze({
  headerTableSize: 0x1,
  enablePush: 0x2,
  maxConcurrentStreams: 0x3,
  initialWindowSize: 0x4,
  maxFrameSize: 0x5,
  maxHeaderListSize: 0x6,
  enableConnectProtocol: 0x8,
});

/** Window of a stream before any SETTINGS (RFC 9113 §6.9.2). */
export const DEFAULT_WINDOW = 65535;
/** Streams assumed to be allowed until the peer's SETTINGS arrive (RFC 9113 §6.5.2). */
const ASSUMED_STREAMS = 100;
const SETTING_OCTETS = 6;

/** What the peer said in its SETTINGS frames. */
export interface PeerSettings {
  /** Octets its HPACK decoder keeps. */
  headerTableSize: number;
  /** Streams it lets us open. */
  maxConcurrentStreams: number;
  /** Octets it takes on a new stream before a WINDOW_UPDATE. */
  initialWindowSize: number;
  /** Octets of payload it takes in a frame. */
  maxFrameSize: number;
  /** Octets of header list it takes, by HPACK's count; advisory. */
  maxHeaderListSize: number;
  /** It takes extended CONNECT (RFC 8441). */
  enableConnectProtocol: boolean;
}

/** What holds until the peer says otherwise. */
export function defaultPeerSettings(): PeerSettings {
  return {
    headerTableSize: DEFAULT_TABLE_SIZE,
    maxConcurrentStreams: ASSUMED_STREAMS,
    initialWindowSize: DEFAULT_WINDOW,
    maxFrameSize: DEFAULT_MAX_FRAME,
    maxHeaderListSize: Infinity,
    enableConnectProtocol: false,
  };
}

/** A SETTINGS frame that breaks a rule: the code and reason to end the connection with. */
export interface SettingsProblem {
  readonly code: number;
  readonly reason: string;
}

/** What applying SETTINGS needs besides the frame. */
export interface ApplyOptions {
  /** The peer may send SETTINGS_ENABLE_PUSH = 1, which a server may not (RFC 9113 §6.5.2). */
  readonly pushAllowed: boolean;
  /** Told each table size in order: the encoder must signal the lowest (RFC 7541 §4.2). */
  onTableSize(octets: number): void;
}

/**
 * Applies the payload of a SETTINGS frame to `settings`. Answers a problem, in which case the
 * connection must end.
 */
export function applySettings(
  settings: PeerSettings,
  payload: Uint8Array,
  options: ApplyOptions,
): SettingsProblem | undefined {
  if (payload.length % SETTING_OCTETS !== 0) {
    return { code: ErrorCode.frameSizeError, reason: "SETTINGS length is not a multiple of 6" };
  }
  for (let at = 0; at < payload.length; at += SETTING_OCTETS) {
    const id = ((payload[at] as number) << 8) | (payload[at + 1] as number);
    const problem = applyOne(settings, id, readU32(payload, at + 2), options);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function applyOne(
  settings: PeerSettings,
  id: number,
  value: number,
  { pushAllowed, onTableSize }: ApplyOptions,
): SettingsProblem | undefined {
  switch (id) {
    case SettingId.headerTableSize:
      settings.headerTableSize = value;
      onTableSize(value);
      return undefined;
    case SettingId.enablePush:
      return value === 0 || (value === 1 && pushAllowed) ? undefined : refused("ENABLE_PUSH");
    case SettingId.maxConcurrentStreams:
      settings.maxConcurrentStreams = value;
      return undefined;
    case SettingId.initialWindowSize:
      if (value > MAX_31_BITS) {
        return { code: ErrorCode.flowControlError, reason: "INITIAL_WINDOW_SIZE above 2^31-1" };
      }
      settings.initialWindowSize = value;
      return undefined;
    case SettingId.maxFrameSize:
      if (value < DEFAULT_MAX_FRAME || value > LARGEST_MAX_FRAME) return refused("MAX_FRAME_SIZE");
      settings.maxFrameSize = value;
      return undefined;
    case SettingId.maxHeaderListSize:
      settings.maxHeaderListSize = value;
      return undefined;
    case SettingId.enableConnectProtocol:
      // RFC 8441 §3: once 1, never 0 again.
      if (value > 1 || (value === 0 && settings.enableConnectProtocol)) {
        return refused("ENABLE_CONNECT_PROTOCOL");
      }
      settings.enableConnectProtocol = value === 1;
      return undefined;
    default:
      return undefined; // RFC 9113 §6.5.2: unknown settings are ignored
  }
}

function refused(name: string): SettingsProblem {
  return { code: ErrorCode.protocolError, reason: `invalid value of SETTINGS_${name}` };
}
