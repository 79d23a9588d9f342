import assert from "node:assert/strict";
import { neverAsks } from "../../../lib/dns_server/ports.ts";

Deno.test("neverAsks() knows the ports that answer whatever comes, and spares the others", () => {
  assert.deepEqual([0, 7, 13, 17, 19, 37].map(neverAsks), Array(6).fill(true));
  assert.deepEqual([1, 8, 18, 20, 53, 1024, 65_535].map(neverAsks), Array(7).fill(false));
});
