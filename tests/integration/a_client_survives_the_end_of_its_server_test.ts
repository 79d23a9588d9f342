import assert from "node:assert/strict";
import { join } from "node:path";
import { withinDeadline } from "../support/deadline.ts";
import { ROOT } from "../support/module_graph.ts";
import { startProxy } from "../support/proxy.ts";

/** Without its remedy the runtime of about one in three dies. */
const CLIENTS = 8;

/** A program of its own that is connected, until its input ends. */
async function startClient(socketPath: string): Promise<Deno.ChildProcess> {
  const client = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", join(ROOT, "tests/testdata/admin_client.ts"), socketPath],
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const output = client.stdout.getReader();
  const { value } = await withinDeadline(output.read(), "the client is connected");
  assert.equal(new TextDecoder().decode(value), "connected\n");
  output.releaseLock();
  return client;
}

Deno.test("admin clients that are connected while the proxy stops in order do not crash", async () => {
  await using proxy = await startProxy({
    config: (folder) => ({
      grpc: { addr: join(folder, "admin.sock") },
      listeners: [{ addr: "127.0.0.1:0" }],
    }),
  });
  const socketPath = join(proxy.folder, "admin.sock");
  const clients = await Promise.all(Array.from({ length: CLIENTS }, () => startClient(socketPath)));
  assert.equal(await proxy.stop(), 0);
  for (const [i, client] of clients.entries()) {
    await client.stdin.close();
    const { code, signal } = await withinDeadline(client.status, "the client ends");
    await client.stdout.cancel();
    assert.deepEqual([code, signal], [0, null], `client ${i}`);
  }
});
