import assert from "node:assert/strict";
import { commandExists, runCommand } from "../support/commands.ts";
import { startPlane } from "../support/plane.ts";

const hasHttp3 = commandExists("curl") &&
  (await runCommand("curl", ["--version"])).stdout.includes("HTTP3");

Deno.test({
  name: "curl --http3-only fails with an exit code (needs a curl with HTTP/3)",
  ignore: !hasHttp3,
  async fn() {
    await using plane = await startPlane();
    const url = `https://127.0.0.1:${plane.port}/`;
    const { code } = await runCommand("curl", ["--http3-only", "-sk", "--max-time", "10", url]);
    assert.notEqual(code, 0);
    assert.equal(plane.events.length, 0);
  },
});
