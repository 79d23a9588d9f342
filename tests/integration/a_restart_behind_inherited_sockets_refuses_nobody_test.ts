import assert from "node:assert/strict";
import { join } from "node:path";
import { createClient } from "../../lib/client/mod.ts";
import { startEchoBackend } from "../support/backends.ts";
import { connectRaw } from "../support/clients.ts";
import { commandPath, testWithCommands } from "../support/commands.ts";
import { eventually } from "../support/deadline.ts";
import { buildClientHello } from "../support/hello.ts";
import { unusedPorts } from "../support/ports.ts";
import { proxyLine } from "../support/program.ts";
import { writeConfig } from "../support/proxy.ts";

const hello = buildClientHello({ serverName: "a.test" });
const WORKERS = 2;

/** Holds the sockets as systemd does, and starts a program for each line that it reads. */
const HOLDER = `exec 2>&1
while read -r _; do
  sh -c 'LISTEN_PID=$$ exec "$@"' sh "$@" &
  echo "started $!"
done
wait`;

/** systemd's part: sockets that outlive the processes that are started on them. */
class Holder implements AsyncDisposable {
  readonly lines: string[] = [];
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #output: Promise<void>;

  constructor(ports: readonly number[], command: readonly string[]) {
    this.#child = new Deno.Command(commandPath("systemd-socket-activate") ?? "", {
      args: [
        ...ports.flatMap((port) => ["-l", `127.0.0.1:${port}`]),
        ...["-E", "NO_COLOR=1", "sh", "-c", HOLDER, "sh", ...command],
      ],
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    this.#input = this.#child.stdin.getWriter();
    this.#output = this.#read();
  }

  messages(message: string): Record<string, unknown>[] {
    const quoted = JSON.stringify(message);
    return this.lines.filter((line) => line.startsWith("{") && line.includes(quoted))
      .map((line) => JSON.parse(line) as Record<string, unknown>)
      .filter((event) => event.message === message);
  }

  /** Starts a process, waits until it serves; its id. */
  async start(): Promise<number> {
    const before = this.messages("ready").length;
    await this.#input.write(new TextEncoder().encode("\n"));
    await eventually(() => this.messages("ready").length > before, this.lines.join("\n"));
    return Number(this.lines.findLast((line) => line.startsWith("started "))?.slice(8));
  }

  /** Ends a process as systemd does, and waits for it. */
  async stop(pid: number): Promise<void> {
    const before = this.messages("stopped, drained").length;
    Deno.kill(pid, "SIGTERM");
    const stopped = () => this.messages("stopped, drained").length > before;
    await eventually(stopped, this.lines.slice(-5).join("\n"));
  }

  /** What a failed test leaves running goes too. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const line of this.lines.filter((line) => line.startsWith("started "))) {
      try {
        Deno.kill(Number(line.slice(8)), "SIGKILL");
      } catch {
        // It has ended.
      }
    }
    this.#child.kill("SIGKILL");
    await this.#child.status;
    await this.#input.close().catch(() => {});
    await this.#output;
  }

  async #read(): Promise<void> {
    let rest = "";
    for await (const text of this.#child.stdout.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      this.lines.push(...lines);
    }
  }
}

async function withHolder(
  use: (setting: { holder: Holder; ports: number[]; folder: string }) => Promise<void>,
): Promise<void> {
  const folder = await Deno.realPath(await Deno.makeTempDir({ prefix: "mc-proxy-test-" }));
  await using backend = await startEchoBackend();
  try {
    const ports = await unusedPorts(2);
    const configPath = await writeConfig(folder, {
      config: {
        server: { workers: WORKERS },
        grpc: { addr: join(folder, "admin.sock") },
        listeners: [{
          addr: `127.0.0.1:${ports[0]}`,
          routes: [{ hostname: "a.test", backend: backend.address }],
        }],
      },
    });
    await using holder = new Holder(ports, [
      Deno.execPath(),
      ...proxyLine(folder, "server", "--take-over", "-c", configPath),
    ]);
    // The first connection makes it start; the rest of the holder's work is ours to ask for.
    await eventually(async () => {
      return await connectRaw({ port: ports[0] ?? 0 }).then(async (client) => {
        await client[Symbol.asyncDispose]();
        return true;
      }, () => false);
    }, "the holder listens");
    await use({ holder, ports, folder });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function isServed(port: number): Promise<boolean> {
  await using client = await connectRaw({ port });
  client.end(hello);
  return (await client.readToEnd()).bytes.length === hello.length;
}

/** Between connections, in milliseconds: what is left of two cores starts a process meanwhile. */
const PAUSE_MS = 10;

/** Connects again and again, and counts; a refused or a broken connection is a failure. */
function keepConnecting(port: number) {
  const counts = { served: 0, failures: [] as string[] };
  let stopped = false;
  const run = async () => {
    while (!stopped) {
      try {
        if (await isServed(port)) counts.served++;
        else counts.failures.push("cut short");
      } catch (error) {
        counts.failures.push(String(error));
      }
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  };
  const running = Promise.all([run(), run(), run(), run()]);
  const stop = async () => {
    stopped = true;
    await running;
  };
  return { counts, stop };
}

testWithCommands(
  ["systemd-socket-activate"],
  "a restart refuses nobody when systemd holds the socket",
  async () => {
    await withHolder(async ({ holder, ports }) => {
      const [port = 0, unused] = ports;
      let pid = await holder.start();
      assert.deepEqual(
        holder.messages("a socket of the service manager belongs to no listener, its clients hang")
          .map(({ port }) => port),
        [unused],
      );
      const load = keepConnecting(port);
      for (let i = 0; i < 3; i++) {
        await eventually(() => load.counts.served > 50 * (i + 1), "connections are served");
        await holder.stop(pid); // For a moment nobody accepts.
        pid = await holder.start();
      }
      const before = load.counts.served;
      await eventually(() => load.counts.served > before + 50, "and by the last process");
      await load.stop();
      assert.deepEqual(load.counts.failures, []);
      await holder.stop(pid);
    });
  },
);

testWithCommands(
  ["systemd-socket-activate"],
  "a take-over on the same socket refuses nobody",
  async () => {
    await withHolder(async ({ holder, ports: [port = 0] }) => {
      const old = await holder.start();
      const load = keepConnecting(port);
      await eventually(() => load.counts.served > 50, "connections are served");
      const next = await holder.start();
      await holder.stop(old);
      const before = load.counts.served;
      await eventually(() => load.counts.served > before + 50, "and by the new process");
      await load.stop();
      assert.deepEqual(load.counts.failures, []);
      await holder.stop(next);
    });
  },
);

testWithCommands(
  ["systemd-socket-activate"],
  "every worker accepts from an inherited socket",
  async () => {
    await withHolder(async ({ holder, ports: [port = 0], folder }) => {
      const pid = await holder.start();
      const workers = () => {
        const ids = holder.messages("connection").map(({ id }) => String(id).split("-")[0]);
        return new Set(ids).size;
      };
      await eventually(async () => await isServed(port) && workers() === WORKERS, "both workers");
      using client = createClient({ socketPath: join(folder, "admin.sock") });
      const { status } = await client.getStatus({});
      assert.equal(status?.healthy, true);
      await holder.stop(pid);
    });
  },
);
