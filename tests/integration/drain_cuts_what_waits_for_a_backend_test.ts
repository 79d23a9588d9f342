import assert from "node:assert/strict";
import { connectRaw } from "../support/clients.ts";
import { eventually } from "../support/deadline.ts";
import { buildClientHello } from "../support/hello.ts";
import { startPlane } from "../support/plane.ts";

const hello = buildClientHello({ serverName: "a.test" });

Deno.test("drain cuts a connection whose backend does not answer at once", async () => {
  await using unanswering = await startUnanswering();
  const plane = await startPlane({
    routes: [{ hostname: "a.test", backend: `127.0.0.1:${unanswering.port}` }],
    settings: { connectTimeoutMs: 3_600_000 },
  });
  await using client = await connectRaw({ port: plane.port });
  await client.write(hello);
  await eventually(async () => {
    const { connections: [found] } = await plane.plane.findConnections({}, 1);
    return found?.route === "a.test";
  }, "the connection waits for its backend");
  await plane.plane.drain(50);
  assert.equal((await client.readToEnd()).ending, "reset");
  assert.equal((await plane.event()).outcome, "shutdown");
});

/** A port whose queue of connections is full: Linux drops any further SYN. */
async function startUnanswering() {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0, tcpBacklog: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  const queued = await Deno.connect({ port });
  return {
    port,
    [Symbol.asyncDispose]() {
      queued.close();
      listener.close();
      return Promise.resolve();
    },
  };
}
