import assert from "node:assert/strict";
import { CLIENT_PREFACE, FrameFlag, FrameType } from "../../lib/h2/mod.ts";
import { connectRaw } from "../support/clients.ts";
import { commandPath } from "../support/commands.ts";
import { eventually } from "../support/deadline.ts";
import { frame, u32 } from "../support/h2_raw.ts";
import { buildClientHello } from "../support/hello.ts";
import { connectHttp2, connectRawTls, HOST, startHttpBackend } from "../support/l7.ts";
import { CAN_READ_USAGE, readUsage, socketsReturnTo } from "../support/leaks.ts";
import { startL7Proxy } from "../support/l7_proxy.ts";
import { RawHttp2Client } from "../support/raw_http2.ts";

/** How long to abuse it. `ABUSE_SECONDS=3600 deno test …` for an hour. */
const SECONDS = Number(Deno.env.get("ABUSE_SECONDS") ?? 10);
/** What resident memory may grow by in the second half, garbage that waits for its collection included. */
const MAX_GROWTH_BYTES = 100 * 1024 * 1024;

const GET = [":method", "GET", ":scheme", "https", ":authority", HOST, ":path", "/"];

/** Each is done over and over by one of several abusers at once; none may take the proxy down. */
const ABUSES: Readonly<Record<string, (port: number) => Promise<void>>> = {
  async "rapid reset (CVE-2023-44487)"(port) {
    await using client = await RawHttp2Client.connect(port);
    for (let id = 1; id < 400; id += 2) {
      await client.write(
        client.headers(id, GET, true),
        frame(FrameType.rstStream, 0, id, u32(8)),
      );
    }
  },
  async "streams left behind by a client that dies"(port) {
    const client = await RawHttp2Client.connect(port);
    for (let id = 1; id < 100; id += 2) await client.write(client.headers(id, GET, id % 4 === 1));
    await client[Symbol.asyncDispose]();
  },
  async "a flood of control frames"(port) {
    await using client = await RawHttp2Client.connect(port);
    const ping = frame(FrameType.ping, 0, 0, new Uint8Array(8));
    const settings = frame(FrameType.settings, 0, 0);
    const flood = Array.from({ length: 500 }, (_, i) => i % 2 === 0 ? ping : settings);
    await client.write(...flood).catch(() => {});
  },
  async "an endless header block"(port) {
    await using peer = await connectRawTls({ port, alpn: "h2" });
    await peer.write(CLIENT_PREFACE);
    await peer.write(frame(FrameType.settings, 0, 0));
    await peer.write(frame(FrameType.headers, FrameFlag.endStream, 1, [0x82]));
    for (let i = 0; i < 100 && !peer.socket.destroyed; i++) {
      peer.socket.write(frame(FrameType.continuation, 0, 1, new Uint8Array(8000)));
    }
  },
  async "half a handshake"(port) {
    const client = await connectRaw({ port });
    await client.write(buildClientHello({ serverName: HOST }));
    client.reset();
  },
  async "half an HTTP/1.1 request"(port) {
    const client = await connectRawTls({ port });
    await client.write(`POST / HTTP/1.1\r\nHost: ${HOST}\r\nContent-Length: 100\r\n\r\nhalf`);
    client.reset();
    await client[Symbol.asyncDispose]();
  },
  async "a download that is not read"(port) {
    const client = await RawHttp2Client.connect(port);
    const large = [...GET.slice(0, -1), "/large"];
    for (let id = 1; id < 20; id += 2) await client.write(client.headers(id, large, true));
    await client[Symbol.asyncDispose]();
  },
  async "requests like any other"(port) {
    await using client = await connectHttp2({ port });
    const answers = await Promise.all(Array.from({ length: 20 }, () => client.ask()));
    for (const { status } of answers) assert.equal(status, 200);
  },
};

Deno.test({
  name: `l7 lives through ${SECONDS} s of abuse, and then is as it was` +
    (CAN_READ_USAGE ? "" : " (ignored: no /proc here)"),
  ignore: !CAN_READ_USAGE,
  // Clients that are killed on purpose leave their timers to the collector.
  sanitizeOps: false,
  sanitizeResources: false,
  fn: async () => {
    const large = new Uint8Array(4 * 1024 * 1024);
    await using backend = await startHttpBackend("http1", (request, response) => {
      request.resume();
      response.end(request.url === "/large" ? large : "ok");
    });
    await using proxy = await startL7Proxy({
      backend: backend.address,
      more: () => ({ l7: { access_log: false } }),
    });
    const port = proxy.port();
    // The first half is for the heap and the kernel's buffers to reach the size that load needs.
    await abuseFor(SECONDS / 2, port);
    await killedLoad(port);
    await eventually(() => backend.open <= MAX_KEPT_SOCKETS, "the first requests end");
    const before = await readUsage(proxy.pid);
    await abuseFor(SECONDS / 2, port);
    await killedLoad(port);

    await using client = await connectHttp2({ port });
    assert.equal((await client.ask()).status, 200);
    await client[Symbol.asyncDispose]();
    await socketsReturnTo(proxy.pid, { ...before, sockets: before.sockets + MAX_KEPT_SOCKETS });
    const after = await readUsage(proxy.pid);
    const growth = after.residentBytes - before.residentBytes;
    assert.ok(growth < MAX_GROWTH_BYTES, `resident memory grew by ${growth} octets`);
    assert.deepEqual(proxy.errors(), []);
  },
});

/** All abusers at once. */
async function abuseFor(seconds: number, port: number): Promise<void> {
  const until = performance.now() + seconds * 1000;
  await Promise.all(
    Object.entries(ABUSES).map(async ([name, abuse]) => {
      while (performance.now() < until) {
        // Being cut off is what abusers are for; honest requests are not to fail.
        await abuse(port).catch((error) => {
          if (name === "requests like any other") throw error;
        });
      }
    }),
  );
}

/** Connections to the backend that are kept for the next requests. */
const MAX_KEPT_SOCKETS = 64;

/** What made `node:http2` servers of the runtime die: a load generator that is killed. */
async function killedLoad(port: number): Promise<void> {
  const program = commandPath("h2load");
  if (program === undefined) return;
  const url = `https://${HOST}:${port}/`;
  for (let i = 0; i < 5; i++) {
    const child = new Deno.Command(program, {
      args: ["-n", "1000000", "-c", "20", "-m", "10", `--connect-to=127.0.0.1:${port}`, url],
      stdout: "null",
      stderr: "null",
    }).spawn();
    await new Promise((resolve) => setTimeout(resolve, 300));
    child.kill("SIGKILL");
    await child.status;
  }
}
