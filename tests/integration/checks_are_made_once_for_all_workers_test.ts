import assert from "node:assert/strict";
import { startBackend } from "../support/backends.ts";
import { eventually } from "../support/deadline.ts";
import { unusedPort } from "../support/ports.ts";
import { startProxy } from "../support/proxy.ts";

Deno.test("a backend that hangs is checked once for all of three workers", async () => {
  let open = 0;
  let most = 0;
  let checks = 0;
  await using hanging = await startBackend({
    onConnection({ socket }) {
      checks++;
      most = Math.max(most, ++open);
      socket.on("data", () => {});
      socket.on("end", () => socket.end());
      socket.once("close", () => open--);
    },
  });
  const other = `127.0.0.1:${await unusedPort()}`;
  await using _ = await startProxy({
    config: {
      server: { workers: 3 },
      listeners: [{
        addr: "127.0.0.1:0",
        routes: [{
          hostname: "a.test",
          backends: [{ addr: hanging.address }, { addr: other, backup: true }],
          health: { kind: "tls", interval: "100ms", timeout: "400ms" },
        }],
      }],
    },
  });
  await eventually(() => checks >= 3, "it was checked");
  // The end of one and the beginning of the next may be told in either order.
  assert.ok(most <= 2, `${most} were open at one time`);
});
