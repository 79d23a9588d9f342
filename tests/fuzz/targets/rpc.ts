import assert from "node:assert/strict";
import { RpcError } from "../../../lib/rpc/mod.ts";
import {
  encodeStatusMessage,
  frameMessage,
  MessageReader,
  parseTimeout,
} from "../../../lib/rpc_server/frames.ts";
import { cut, type FuzzTarget, textOf } from "../../support/fuzz_target.ts";

const MAX_BYTES = 1000;
const MAX_TIMEOUT_MS = 99_999_999 * 3_600_000;

/** Length-prefixed messages of gRPC, and the texts beside them. */
export const GRPC_FRAMES: FuzzTarget = {
  name: "grpc_frames",
  rounds: 3000,
  make(random) {
    const messages = Array.from({ length: random.below(5) }, () => {
      return [...frameMessage(random.bytes(random.pick([0, 1, 5, 100, 1000, 1001])))];
    });
    return Uint8Array.from(messages.flat());
  },
  check(bytes, random) {
    const read = (chunks: readonly Uint8Array[]) => {
      const reader = new MessageReader(MAX_BYTES);
      const found: string[] = [];
      try {
        for (const chunk of chunks) {
          found.push(...reader.receive(chunk).map((message) => message.toHex()));
        }
      } catch (error) {
        assert(error instanceof RpcError, String(error));
        return { error: error.message };
      }
      return { found, buffered: reader.buffered };
    };
    const seen = read([bytes]);
    assert.deepEqual(read(cut(bytes, random)), seen);
    if (seen.found !== undefined) {
      const again = seen.found.flatMap((hex) => [...frameMessage(Uint8Array.fromHex(hex))]);
      const rest = bytes.subarray(bytes.length - seen.buffered);
      assert.deepEqual(Uint8Array.from([...again, ...rest]), bytes, "nothing is lost or invented");
      for (const hex of seen.found) assert.ok(hex.length / 2 <= MAX_BYTES);
      // Nor is waited for what is announced as too long.
      const [, a = 0, b = 0, c = 0, d] = rest;
      if (d !== undefined) assert.ok((a << 24 | b << 16 | c << 8 | d) >>> 0 <= MAX_BYTES);
    }
    const text = textOf(bytes);
    const timeoutMs = parseTimeout(text);
    assert.ok(timeoutMs === undefined || timeoutMs >= 0 && timeoutMs <= MAX_TIMEOUT_MS);
    const message = encodeStatusMessage(text);
    assert.match(message, /^[ -~]*$/);
    assert.equal(decodeURIComponent(message), text.replaceAll(/\p{Surrogate}/gu, "\ufffd"));
  },
};
