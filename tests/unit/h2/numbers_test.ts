import assert from "node:assert/strict";
import { ErrorCode, errorName, FrameFlag, FrameType } from "../../../lib/h2/mod.ts";
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
