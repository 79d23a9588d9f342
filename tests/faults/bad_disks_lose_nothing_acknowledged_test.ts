import assert from "node:assert/strict";
import { join } from "node:path";
import { type AdminClient, createClient } from "../../lib/client/mod.ts";
import { startEchoBackend } from "../support/backends.ts";
import { connectRaw } from "../support/clients.ts";
import { buildClientHello } from "../support/hello.ts";
import { unusedPort } from "../support/ports.ts";
import { type Proxy, startProxy } from "../support/proxy.ts";
import { proxyLine } from "../support/program.ts";
import { CAN_MOUNT, type SmallDisk, smallDisk } from "../support/small_disk.ts";

const hello = buildClientHello({ serverName: "a.test" });

interface Setting {
  readonly disk: SmallDisk;
  readonly listenerAddr: string;
  /** Starts the program on what is on the disk; it is to be stopped by whoever started it. */
  readonly start: () => Promise<Proxy>;
  readonly connect: () => ReturnType<typeof connectRaw>;
  readonly client: AdminClient;
}

function diskTest(claim: string, fn: (setting: Setting) => Promise<void>): void {
  Deno.test({
    name: claim + (CAN_MOUNT ? "" : " (ignored: mounting is not allowed here)"),
    ignore: !CAN_MOUNT,
    async fn() {
      await using backend = await startEchoBackend();
      await using disk = smallDisk(4 * 1024);
      const port = await unusedPort();
      const socketPath = join(await Deno.realPath(disk.path), "admin.sock");
      const listenerAddr = `127.0.0.1:${port}`;
      const start = () =>
        startProxy({
          folder: disk.path,
          config: {
            grpc: { addr: socketPath },
            listeners: [{
              addr: listenerAddr,
              routes: [{ hostname: "a.test", backend: backend.address }],
            }],
          },
        });
      using client = createClient({ socketPath });
      await fn({ disk, listenerAddr, start, client, connect: () => connectRaw({ port }) });
    },
  });
}

/** Adds routes until one is refused; the names of those that were acknowledged, and why not more. */
async function addUntilRefused({ client, listenerAddr }: Setting, prefix: string) {
  const acknowledged: string[] = [];
  const long = `${"x".repeat(60)}.`.repeat(3);
  for (let i = 0; i < 20_000; i++) {
    const hostname = `${prefix}${i}.test`;
    try {
      await client.addRoute({ listenerAddr, hostname, backend: `${long}test:1` });
    } catch (error) {
      return { acknowledged, refusal: error as { code?: string; message: string } };
    }
    acknowledged.push(hostname);
  }
  throw new Error("the disk never was full");
}

async function hostnames({ client, listenerAddr }: Setting): Promise<string[]> {
  const { routes } = await client.listRoutes({ listenerAddr });
  return routes.map(({ hostname }) => hostname).sort();
}

/** Leaves room for a few changes and their log, and for nothing else. */
const ROOM_BYTES = 256 * 1024;

async function fill(path: string): Promise<void> {
  using file = await Deno.open(path, { create: true, write: true });
  for (let size = 64 * 1024; size >= 1024; size /= 2) {
    const block = new Uint8Array(size);
    for (let room = true; room;) room = await file.write(block).then(() => true, () => false);
  }
  await file.truncate((await file.stat()).size - ROOM_BYTES);
}

diskTest(
  "a disk that fills under changes loses none that was acknowledged, and no stream",
  async (it) => {
    await using proxy = await it.start();
    await using stream = await it.connect();
    await stream.write(hello);
    await stream.read(hello.length);
    const filler = join(it.disk.path, "filler");
    await fill(filler);
    const { acknowledged, refusal } = await addUntilRefused(it, "full");
    assert.equal(refusal.code, "resource_exhausted", refusal.message);
    assert.match(refusal.message, /disk is full, nothing has changed/);
    assert(acknowledged.length > 0, "there was room for some");
    const expected = ["a.test", ...acknowledged].sort();
    assert.deepEqual(await hostnames(it), expected, "what was refused is nowhere");
    await stream.write("ping");
    await stream.read(4);
    await using fresh = await it.connect();
    fresh.end(hello);
    assert.equal((await fresh.readToEnd()).bytes.length, hello.length);
    // As on a disk that stays full: killed there, and room is made only for the next start.
    await proxy.stop("SIGKILL");
    await Deno.remove(filler);
    await using next = await it.start();
    assert.deepEqual(await hostnames(it), expected);
    await it.client.addRoute({ ...it, hostname: "after.test", backend: "x:1" });
    assert.equal((await hostnames(it)).length, expected.length + 1);
    assert.equal(await next.stop(), 0);
  },
);

diskTest(
  "a start on a disk that is read-only says so, touches nothing, and later has it all",
  async (it) => {
    {
      await using proxy = await it.start();
      await it.client.addRoute({ ...it, hostname: "kept.test", backend: "x:1" });
      await proxy.stop("SIGKILL");
    }
    const files = () => [...Deno.readDirSync(it.disk.path)].map(({ name }) => name).sort();
    const before = files();
    it.disk.makeReadOnly();
    // Its configuration is there already, as in an installation.
    const start = new Deno.Command(Deno.execPath(), {
      args: startArguments(it.disk.path),
      stdin: "null",
    });
    const { code, stderr } = await start.output();
    assert.equal(code, 1);
    assert.match(new TextDecoder().decode(stderr), /read-only/);
    assert.deepEqual(files(), before);
    it.disk.makeWritable();
    await using again = await it.start();
    assert.deepEqual(await hostnames(it), ["a.test", "kept.test"]);
    assert.equal(await again.stop(), 0);
  },
);

function startArguments(folder: string): string[] {
  return proxyLine(folder, "server", "-c", join(folder, "mc-proxy.toml"));
}
