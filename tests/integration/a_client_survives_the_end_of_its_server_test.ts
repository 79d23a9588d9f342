import assert from "node:assert/strict";
import { join } from "node:path";
import { withinDeadline } from "../support/deadline.ts";
import { ROOT } from "../support/module_graph.ts";
import { startProxy } from "../support/proxy.ts";

/** Without its remedy the runtime dies in about one round of three. */
const ROUNDS = 5;

Deno.test("an admin client that is connected while the proxy stops in order does not crash", async () => {
  for (let round = 0; round < ROUNDS; round++) {
    await using proxy = await startProxy({
      config: (folder) => ({
        grpc: { addr: join(folder, "admin.sock") },
        listeners: [{ addr: "127.0.0.1:0" }],
      }),
    });
    const client = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "-A",
        join(ROOT, "tests/testdata/admin_client.ts"),
        join(proxy.folder, "admin.sock"),
      ],
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    const output = client.stdout.getReader();
    const { value } = await withinDeadline(output.read(), "the client is connected");
    assert.equal(new TextDecoder().decode(value), "connected\n");
    assert.equal(await proxy.stop(), 0);
    await client.stdin.close();
    const { code, signal } = await withinDeadline(client.status, "the client ends");
    await output.cancel();
    assert.deepEqual([code, signal], [0, null], `round ${round}`);
  }
});
