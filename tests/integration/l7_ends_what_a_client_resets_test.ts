import assert from "node:assert/strict";
import { FrameType } from "../../lib/h2/mod.ts";
import { systemClock } from "../../lib/relay/mod.ts";
import { eventually } from "../support/deadline.ts";
import { frame, u32 } from "../support/h2_raw.ts";
import { BACKEND_KINDS, HOST, startHttpBackend, startL7 } from "../support/l7.ts";
import { RawHttp2Client } from "../support/raw_http2.ts";

const GET = [":method", "GET", ":scheme", "https", ":authority", HOST, ":path", "/"];

for (const kind of BACKEND_KINDS) {
  for (const [name, code] of [["NO_ERROR", 0], ["CANCEL", 8]] as const) {
    Deno.test(`l7 passes a reset with ${name} after a whole request on to ${kind}`, async () => {
      let begun = 0;
      let ended = 0;
      await using backend = await startHttpBackend(kind, (request, response) => {
        begun++;
        request.resume();
        response.once("close", () => ended++);
      });
      const backendTls = kind.endsWith("-tls");
      await using proxy = await startL7({ backend: backend.address, route: { backendTls } });
      await using client = await RawHttp2Client.connect(proxy.port);
      await client.write(client.headers(1, GET, true));
      await eventually(() => begun === 1, "the backend is asked");
      await client.write(frame(FrameType.rstStream, 0, 1, u32(code)));
      await eventually(() => ended === 1, "the backend hears that nobody waits");
      assert.equal((await proxy.request()).status, 499);
      assert.deepEqual(client.frames(1), [], "nothing is sent on a stream that was reset");
    });
  }
}

/** Requests at one time. */
const TOGETHER = 20;

/** Sends requests in twenties, each followed by as many that are reset; how the connection ended. */
async function earn(client: RawHttp2Client, head: readonly string[]): Promise<string | undefined> {
  let id = 1;
  for (let round = 0; round < 40; round++) {
    const answered: number[] = [];
    const requests: Uint8Array[] = [];
    for (let i = 0; i < TOGETHER; i++, id += 2) {
      answered.push(id);
      requests.push(client.headers(id, head, true));
    }
    await client.write(Buffer.concat(requests));
    await eventually(
      () => client.frames(0).some(isGoaway) || answered.every((it) => client.frames(it).length > 0),
      "answers",
    );
    if (client.frames(0).some(isGoaway)) return "GOAWAY";
    const resets: Uint8Array[] = [];
    for (let i = 0; i < TOGETHER; i++, id += 2) {
      resets.push(client.headers(id, GET, true), frame(FrameType.rstStream, 0, id, u32(8)));
    }
    await client.write(Buffer.concat(resets));
  }
  return undefined;
}

const isGoaway = ({ type }: { readonly type: number }) => type === FrameType.goaway;

Deno.test("answers of a backend earn resets, answers of the proxy do not", async () => {
  await using backend = await startHttpBackend("http1", (request, response) => {
    request.resume();
    response.end();
  });
  // Time earns resets too: hardly any here, however busy the machine is.
  const clock = { ...systemClock, now: () => performance.now() / 1000 };
  await using proxy = await startL7({ backend: backend.address, clock });
  await using worker = await RawHttp2Client.connect(proxy.port);
  assert.equal(await earn(worker, GET), undefined);
  await using idler = await RawHttp2Client.connect(proxy.port);
  const elsewhere = GET.map((text) => text === HOST ? "other.test" : text);
  assert.equal(await earn(idler, elsewhere), "GOAWAY");
});
