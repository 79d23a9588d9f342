import assert from "node:assert/strict";
import {
  BACKEND_LIMITS,
  EDGE_LIMITS,
  ErrorCode,
  errorName,
  FrameFlag,
  FrameType,
  type Limits,
} from "../../../lib/h2/mod.ts";
import { SettingId } from "../../../lib/h2/settings.ts";

Deno.test("error codes have the numbers of RFC 9113 §7", () => {
  const numbers = Object.values(ErrorCode).map((code) =>
    `0x0${code.toString(16)} ${errorName(code)}`
  );
  assert.deepEqual(numbers, [
    "0x00 NO_ERROR",
    "0x01 PROTOCOL_ERROR",
    "0x02 INTERNAL_ERROR",
    "0x03 FLOW_CONTROL_ERROR",
    "0x04 SETTINGS_TIMEOUT",
    "0x05 STREAM_CLOSED",
    "0x06 FRAME_SIZE_ERROR",
    "0x07 REFUSED_STREAM",
    "0x08 CANCEL",
    "0x09 COMPRESSION_ERROR",
    "0x0a CONNECT_ERROR",
    "0x0b ENHANCE_YOUR_CALM",
    "0x0c INADEQUATE_SECURITY",
    "0x0d HTTP_1_1_REQUIRED",
  ]);
});

Deno.test("frame types and flags have the numbers of RFC 9113 §6", () => {
  const { data, headers, priority, rstStream, settings } = FrameType;
  assert.deepEqual([data, headers, priority, rstStream, settings], [0, 1, 2, 3, 4]);
  const { pushPromise, ping, goaway, windowUpdate, continuation } = FrameType;
  assert.deepEqual([pushPromise, ping, goaway, windowUpdate, continuation], [5, 6, 7, 8, 9]);
  const { endStream, ack, endHeaders, padded, priority: weighted } = FrameFlag;
  assert.deepEqual([endStream, ack, endHeaders, padded, weighted], [1, 1, 4, 8, 0x20]);
});

Deno.test("settings have the numbers of RFC 9113 §6.5.2 and RFC 8441 §3", () => {
  assert.deepEqual({ ...SettingId }, {
    headerTableSize: 1,
    enablePush: 2,
    maxConcurrentStreams: 3,
    initialWindowSize: 4,
    maxFrameSize: 5,
    maxHeaderListSize: 6,
    enableConnectProtocol: 8,
  });
});

Deno.test("EDGE_LIMITS and BACKEND_LIMITS are what was weighed", () => {
  const edge: Limits = {
    maxConcurrentStreams: 100,
    maxOwnStreams: 100,
    streamWindow: 65_536,
    maxStreamWindow: 65_536,
    connectionWindow: 1_048_576,
    creditOnReceipt: false,
    maxHeaderListSize: 65_536,
    maxHeaderBlock: 131_072,
    maxContinuations: 32,
    streamSendBuffer: 65_536,
    outputHighWater: 131_072,
    maxOutput: 1_048_576,
    resets: { burst: 400, perSecond: 40 },
    ownResets: { burst: Infinity, perSecond: 0 },
    control: { burst: 1000, perSecond: 1000 },
    smallData: { burst: 10_000, perSecond: 10_000 },
    settings: { burst: 20, perSecond: 2 },
    emptyData: { burst: 100, perSecond: 10 },
    windowUpdates: { burst: 1000, perSecond: 200 },
    prefaceTimeoutMs: 10_000,
    settingsTimeoutMs: 10_000,
    headerBlockTimeoutMs: 10_000,
    stallTimeoutMs: 60_000,
    minProgress: 16_384,
    minDrain: 0.0625,
    pingTimeoutMs: 10_000,
    drainNoticeMs: 1000,
  };
  assert.deepEqual({ ...EDGE_LIMITS }, edge);
  assert.deepEqual({ ...BACKEND_LIMITS }, {
    ...edge,
    maxOwnStreams: 128,
    maxStreamWindow: 1_048_576,
    connectionWindow: 16_777_216,
    creditOnReceipt: true,
    resets: { burst: 100_000, perSecond: 50_000 },
    ownResets: { burst: 500, perSecond: 25 },
    control: { burst: 100_000, perSecond: 50_000 },
    smallData: { burst: 1_000_000, perSecond: 1_000_000 },
    settings: { burst: 1000, perSecond: 100 },
    emptyData: { burst: 10_000, perSecond: 1000 },
    windowUpdates: { burst: 100_000, perSecond: 50_000 },
    stallTimeoutMs: 300_000,
    minProgress: 1024,
    minDrain: 0,
  });
});
