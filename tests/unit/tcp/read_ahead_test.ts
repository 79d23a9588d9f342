import assert from "node:assert/strict";
import { Socket } from "node:net";
import { limitReadAhead } from "../../../lib/tcp/_read_ahead.ts";

Deno.test("a socket that is paused reads once more at most", () => {
  const socket = new Socket();
  assert(socket.readableHighWaterMark > 1);
  limitReadAhead(socket);
  assert.equal(socket.readableHighWaterMark, 1);
  socket.destroy();
});
