import assert from "node:assert/strict";
import { join } from "node:path";
import { serverFlags } from "../../deploy/runtime.ts";
import { bundle } from "../../tools/bundle.ts";
import { startTlsBackend } from "../support/backends.ts";
import { createServerIdentity } from "../support/certificates.ts";
import { connectTls } from "../support/clients.ts";
import { startProxy } from "../support/proxy.ts";
import { temporaryFolder } from "../support/temporary_folder.ts";

Deno.test("the one-script form of the program relays in its workers, with nothing beside it", async () => {
  using folder = temporaryFolder();
  const script = join(folder.path, "mc-proxy.js");
  await bundle(script);
  const identity = await createServerIdentity("one.test");
  await using backend = await startTlsBackend("one", identity);
  await using proxy = await startProxy({
    script,
    flags: (data) => ["--no-config", "--no-npm", ...serverFlags({ source: folder.path, data })],
    config: {
      server: { workers: 2 },
      listeners: [{
        addr: "127.0.0.1:0",
        routes: [{ hostname: "one.test", backend: backend.address }],
      }],
    },
  });
  for (let round = 0; round < 4; round++) {
    await using client = await connectTls({
      port: proxy.port(),
      servername: "one.test",
      ca: identity.ca,
    });
    assert.equal(await client.readText(4), "one\n");
  }
});
