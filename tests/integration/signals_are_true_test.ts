import assert from "node:assert/strict";
import { join } from "node:path";
import { createClient } from "../../lib/client/mod.ts";
import { startEchoBackend } from "../support/backends.ts";
import { connectRaw } from "../support/clients.ts";
import { eventually } from "../support/deadline.ts";
import { buildClientHello } from "../support/hello.ts";
import { unusedPort } from "../support/ports.ts";
import { startProxy, writeConfig } from "../support/proxy.ts";
import { CAN_MOUNT, smallDisk } from "../support/small_disk.ts";
import { proxyLine } from "../support/program.ts";

const hello = buildClientHello({ serverName: "a.test" });
/** A look at the disk every ten seconds, on a machine that is busy. */
const PATIENCE_MS = 40_000;

Deno.test({
  name: "a full disk is unhealthy, and until it has room again",
  ignore: !CAN_MOUNT,
  async fn() {
    await using backend = await startEchoBackend();
    await using disk = smallDisk(16 * 1024);
    {
      await using proxy = await startProxy({
        folder: disk.path,
        config: {
          grpc: { addr: join(disk.path, "admin.sock") },
          listeners: [{
            addr: "127.0.0.1:0",
            routes: [{ hostname: "a.test", backend: backend.address }],
          }],
        },
      });
      using client = createClient({ socketPath: join(proxy.folder, "admin.sock") });
      assert.equal(await client.healthy(), true);
      const filler = await Deno.open(join(disk.path, "filler"), { create: true, write: true });
      const block = new Uint8Array(64 * 1024);
      for (let room = true; room;) room = await filler.write(block).then(() => true, () => false);
      await eventually(async () => !(await client.healthy()), "it is unhealthy", PATIENCE_MS);
      filler.close();
      await Deno.remove(join(disk.path, "filler"));
      await eventually(() => client.healthy(), "it is healthy again", PATIENCE_MS);
    }
  },
});

Deno.test({
  name: "log lines that are lost to a full device are counted",
  ignore: Deno.build.os !== "linux",
  async fn() {
    await using backend = await startEchoBackend();
    const folder = await Deno.makeTempDir({ prefix: "mc-proxy-test-" });
    const [port, metricsPort] = [await unusedPort(), await unusedPort()];
    const configPath = await writeConfig(folder, {
      config: {
        metrics: { addr: `127.0.0.1:${metricsPort}` },
        listeners: [{
          addr: `127.0.0.1:${port}`,
          routes: [{ hostname: "a.test", backend: backend.address }],
        }],
      },
    });
    const child = new Deno.Command("sh", {
      args: [
        "-c",
        'exec "$0" "$@" 2>/dev/full',
        Deno.execPath(),
        ...proxyLine(folder, "server", "-c", configPath),
      ],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    try {
      const serves = async () => {
        try {
          await using client = await connectRaw({ port });
          client.end(hello);
          return (await client.readToEnd()).bytes.length === hello.length;
        } catch {
          return false;
        }
      };
      await eventually(serves, "it serves without a log", PATIENCE_MS);
      const lost = async () => {
        // The endpoint opens after the listeners.
        const answer = await fetch(`http://127.0.0.1:${metricsPort}/metrics`).catch(() =>
          undefined
        );
        const text = await answer?.text() ?? "";
        return Number(/^mc_proxy_log_lines_lost_total (\d+)$/m.exec(text)?.[1]);
      };
      await eventually(async () => await lost() > 0, "the lines of the start are counted");
      const before = await lost();
      for (let i = 0; i < 5; i++) assert(await serves());
      await eventually(async () => await lost() >= before + 5, "those of connections are, too");
    } finally {
      child.kill("SIGTERM");
      assert.equal((await child.status).code, 0);
      await Deno.remove(folder, { recursive: true });
    }
  },
});

Deno.test("during a start nobody is accepted before the proxy serves", async () => {
  await using backend = await startEchoBackend();
  const port = await unusedPort();
  let starting = true;
  const endings: string[] = [];
  const knock = async () => {
    while (starting) {
      try {
        await using client = await connectRaw({ port });
        client.end(hello);
        const { bytes, ending } = await client.readToEnd();
        endings.push(bytes.length === hello.length ? "served" : `lost (${ending})`);
      } catch (error) {
        const { code } = error as { code?: string };
        endings.push(code === "ECONNREFUSED" ? "refused" : `${error}`);
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
    }
  };
  const knocking = Array.from({ length: 8 }, knock);
  {
    await using proxy = await startProxy({
      config: {
        listeners: [{
          addr: `127.0.0.1:${port}`,
          routes: [{ hostname: "a.test", backend: backend.address }],
        }],
      },
    });
    await eventually(() => endings.includes("served"), "it serves");
    starting = false;
    await Promise.all(knocking);
    assert.equal(proxy.port(), port);
  }
  assert.deepEqual([...new Set(endings)].sort(), ["refused", "served"]);
});
