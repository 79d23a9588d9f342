import assert from "node:assert/strict";
import { FrameType } from "../../lib/h2/mod.ts";
import { ReadGate } from "../support/read_gate.ts";
import { startSilentBackend } from "../support/backends.ts";
import { frame } from "../support/h2_raw.ts";
import { connectRawTls, HOST, startL7 } from "../support/l7.ts";
import { RawHttp2Client } from "../support/raw_http2.ts";

/** How long a client tries. */
const FLOOD_MS = 1500;
/** What the kernel's buffers of both ends hold, and much to spare. */
const MAX_TAKEN = 24 * 1024 * 1024;

const POST = [":method", "POST", ":scheme", "https", ":authority", HOST, ":path", "/"];

const FLOODS: Readonly<Record<string, { frame: Uint8Array; reads: boolean }>> = {
  "DATA frames of one octet": { frame: frame(FrameType.data, 0, 1, [1]), reads: true },
  "PINGs": { frame: frame(FrameType.ping, 0, 0, new Uint8Array(8)), reads: true },
  "PINGs whose answers it does not read": {
    frame: frame(FrameType.ping, 0, 0, new Uint8Array(8)),
    reads: false,
  },
};

for (const [name, { frame: one, reads }] of Object.entries(FLOODS)) {
  Deno.test(`a client that floods with ${name} has to wait, down to its TCP socket`, async () => {
    await using backend = await startSilentBackend();
    await using proxy = await startL7({
      backend: backend.address,
      route: { backendProtocol: "http1" },
    });
    await using peer = await connectRawTls({ port: proxy.port, alpn: "h2" });
    await using client = await RawHttp2Client.over(peer);
    await client.write(client.headers(1, POST, false));
    if (!reads) new ReadGate(peer.socket).stop();
    const many = Buffer.concat(Array.from({ length: 10_000 }, () => one));
    let taken = 0;
    const until = performance.now() + FLOOD_MS;
    while (performance.now() < until) {
      if (!peer.socket.writableNeedDrain) {
        peer.socket.write(many, () => taken += many.length);
      }
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    assert.ok(taken < MAX_TAKEN, `${taken} octets were read`);
    const goaways = client.frames(0).filter(({ type }) => type === FrameType.goaway);
    assert.deepEqual(goaways, [], "nobody is cut off for it");
  });
}
