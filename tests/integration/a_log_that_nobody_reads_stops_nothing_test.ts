import assert from "node:assert/strict";
import { type Backend, startEchoBackend } from "../support/backends.ts";
import { connectRaw } from "../support/clients.ts";
import { eventually, withinDeadline } from "../support/deadline.ts";
import { buildClientHello } from "../support/hello.ts";
import { unusedPort } from "../support/ports.ts";
import { proxyLine } from "../support/program.ts";
import { writeConfig } from "../support/proxy.ts";

const hello = buildClientHello({ serverName: "a.test" });

/** More events than a pipe of 64 KiB holds. */
const EVENTS = 400;

interface Unread {
  readonly child: Deno.ChildProcess;
  readonly port: number;
}

/** Starts the program with a log that is a pipe, and waits until it serves. */
async function startUnread(folder: string, backend: Backend, workers: number): Promise<Unread> {
  const port = await unusedPort();
  const configPath = await writeConfig(folder, {
    config: {
      listeners: [{
        addr: `127.0.0.1:${port}`,
        routes: [{ hostname: "a.test", backend: backend.address }],
      }],
      firewall: { rate_limit: 0 },
      server: { workers },
    },
  });
  const child = new Deno.Command(Deno.execPath(), {
    args: proxyLine(folder, "server", "-c", configPath),
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  return { child, port };
}

/** Whether a connection goes through and back. */
async function exchange(port: number): Promise<boolean> {
  try {
    await using client = await connectRaw({ port });
    client.end(hello);
    return (await client.readToEnd()).bytes.length === hello.length;
  } catch {
    return false;
  }
}

for (const workers of [0, 1]) {
  for (const kind of ["stalled", "closed"]) {
    Deno.test(`a ${kind} log holds up neither connections nor the end (${workers} workers)`, async () => {
      const folder = await Deno.realPath(await Deno.makeTempDir());
      await using backend = await startEchoBackend();
      const { child, port } = await startUnread(folder, backend, workers);
      try {
        if (kind === "closed") await child.stderr.cancel();
        await eventually(() => exchange(port), "the proxy serves");
        for (let i = 0; i < EVENTS; i++) {
          await using garbage = await connectRaw({ port });
          await garbage.write("GET / HTTP/1.0\r\n\r\n");
          assert.equal((await garbage.readToEnd()).ending, "reset");
        }
        assert(await exchange(port), "the proxy still serves");
        child.kill("SIGTERM");
        assert.equal((await withinDeadline(child.status, "the proxy ends")).code, 0);
      } finally {
        try {
          child.kill("SIGKILL");
        } catch {
          // It has ended.
        }
        await child.status;
        if (kind === "stalled") await child.stderr.cancel();
        await Deno.remove(folder, { recursive: true });
      }
    });
  }
}
