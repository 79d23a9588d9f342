import assert from "node:assert/strict";
import { chooseSockets, SOCKETS_KINDS } from "../../lib/tcp/mod.ts";
import { testSockets } from "../contract/sockets.ts";

for (const kind of SOCKETS_KINDS) testSockets(kind);

Deno.test("chooseSockets() finds the handles of this runtime as they are known", async () => {
  assert.deepEqual(await chooseSockets("auto"), { kind: "handles" });
  assert.deepEqual(await chooseSockets("node"), { kind: "node" });
});
