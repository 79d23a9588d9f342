import assert from "node:assert/strict";
import { join } from "node:path";
import { createClient } from "../../lib/client/mod.ts";
import { FrameType } from "../../lib/h2/mod.ts";
import { frame, u32 } from "../support/h2_raw.ts";
import { beHonest } from "../support/honest.ts";
import { HOST, startHttpBackend } from "../support/l7.ts";
import { startL7Proxy } from "../support/l7_proxy.ts";
import { RawHttp2Client } from "../support/raw_http2.ts";

const RESETS = 5000;
/** Of RST_STREAM: how attackers call it. */
const CODES = { CANCEL: 8, NO_ERROR: 0 } as const;

const GET = [":method", "GET", ":scheme", "https", ":authority", HOST, ":path", "/"];

for (const [name, code] of Object.entries(CODES)) {
  Deno.test({
    name: `${RESETS} streams that one connection opens and resets (${name}) restart no worker`,
    // The proxy cuts the attacker off, with frames of it on their way.
    sanitizeOps: false,
    sanitizeResources: false,
    async fn() {
      await using backend = await startHttpBackend("http1", (_, response) => response.end("ok"));
      await using proxy = await startL7Proxy({
        backend: backend.address,
        more: (folder) => ({
          server: { workers: 1 }, // The one that is attacked serves the honest client too.
          grpc: { addr: join(folder, "admin.sock") },
        }),
      });
      const port = proxy.port();
      using admin = createClient({ socketPath: join(proxy.folder, "admin.sock") });
      const honest = beHonest(port, 3000);
      const attacker = await RawHttp2Client.connect(port);
      const flood: Uint8Array[] = [];
      for (let i = 0; i < RESETS; i++) {
        const id = 1 + 2 * i;
        flood.push(attacker.headers(id, GET, true), frame(FrameType.rstStream, 0, id, u32(code)));
      }
      await attacker.write(Buffer.concat(flood)).catch(() => {}); // As far as it is let.
      const { asked, failed } = await honest;
      await attacker[Symbol.asyncDispose]();
      assert(asked > 0);
      assert.deepEqual(failed, []);
      const { status } = await admin.getStatus({});
      assert.equal(status?.healthy, true);
      assert.deepEqual(
        status?.workers.map(({ state, restarts }) => ({ state, restarts })),
        [{ state: "serving", restarts: 0 }],
      );
      assert.deepEqual(proxy.errors(), []);
      const ended = proxy.events("connection").filter(({ reason }) => reason === "too many resets");
      assert.equal(ended.length, 1, "the attack is noticed and ended");
    },
  });
}
