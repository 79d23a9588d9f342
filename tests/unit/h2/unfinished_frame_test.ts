import assert from "node:assert/strict";
import { UnfinishedFrame } from "../../../lib/h2/unfinished_frame.ts";

Deno.test("UnfinishedFrame knows since when the frame that is being read does not end", () => {
  const frame = new UnfinishedFrame();
  assert.ok(frame.since < 0);
  frame.note({ unfinished: true, frames: 0 }, 5);
  assert.equal(frame.since, 5, "the first of all too");
  frame.note({ unfinished: true, frames: 0 }, 6);
  assert.equal(frame.since, 5);
  frame.note({ unfinished: true, frames: 1 }, 7);
  assert.equal(frame.since, 7, "another one");
  frame.note({ unfinished: false, frames: 2 }, 8);
  assert.ok(frame.since < 0);
  frame.note({ unfinished: true, frames: 2 }, 9);
  assert.equal(frame.since, 9);
});
