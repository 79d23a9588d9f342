import assert from "node:assert/strict";
import { unusedPort, unusedPorts } from "../../support/ports.ts";

Deno.test("a file of tests takes ports of a block that no other file can claim", async () => {
  const first = await unusedPort();
  const ports = await unusedPorts(31);
  const low = Math.min(first, ...ports);
  assert.equal(new Set([first, ...ports]).size, 32);
  assert.equal(Math.max(first, ...ports), low + 31);
  assert.throws(
    () => Deno.listenDatagram({ transport: "udp", hostname: "127.255.255.254", port: low }).close(),
    Deno.errors.AddrInUse,
  );
});

Deno.test("a port that somebody listens on is passed over", async () => {
  const [taken = 0, next] = await unusedPorts(2);
  using _listener = Deno.listen({ hostname: "127.0.0.1", port: taken });
  const others = await unusedPorts(31);
  assert.ok(!others.includes(taken));
  assert.ok(others.includes(next ?? 0));
});
