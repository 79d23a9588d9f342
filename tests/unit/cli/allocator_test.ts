import assert from "node:assert/strict";
import { allocatorName } from "../../../lib/cli/allocator.ts";

Deno.test.each([
  [undefined, "default"],
  ["", "default"],
  ["libjemalloc.so.2", "libjemalloc.so.2"],
  ["/usr/lib/x86_64-linux-gnu/libjemalloc.so.2", "libjemalloc.so.2"],
  ["/usr/lib/libother.so:/usr/lib/libtcmalloc.so.4", "libtcmalloc.so.4"],
  ["/usr/lib/libother.so", "default"],
])("allocatorName(%s) is %s", (preload, name) => {
  assert.equal(allocatorName(preload), name);
});
