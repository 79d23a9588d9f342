import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import { join } from "node:path";
import { demoCommands, demoPorts } from "../../dev/demo.ts";
import { TOUR } from "../../dev/tour.ts";
import { runCommand, testWithCommands } from "../support/commands.ts";
import { eventually, withinDeadline } from "../support/deadline.ts";
import { ROOT } from "../support/module_graph.ts";
import { unusedPortBlock } from "../support/ports.ts";

/** `deno task devserver`, started as a user does. */
class DevServer implements AsyncDisposable {
  #output = "";
  readonly #child: Deno.ChildProcess;
  readonly #reading: Promise<unknown>;

  constructor(folder: string, port: number, ...options: string[]) {
    this.#child = new Deno.Command(Deno.execPath(), {
      args: ["task", "devserver", "--dir", folder, "--port", String(port), ...options],
      cwd: ROOT,
      env: { NO_COLOR: "1" },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#reading = Promise.all([this.#read(this.#child.stdout), this.#read(this.#child.stderr)]);
  }

  /** What it printed so far. */
  get output(): string {
    return this.#output;
  }

  /** Waits until it has told the user what to try. */
  async ready(): Promise<void> {
    await eventually(
      () => this.#output.includes("Ctrl-C stops everything."),
      "the devserver prints its commands",
      60_000,
    );
  }

  /** Waits for the end; the exit code. */
  async ended(): Promise<number> {
    const { code } = await withinDeadline(this.#child.status, "the devserver ends", 60_000);
    await this.#reading;
    return code;
  }

  /** Ctrl-C. */
  async interrupt(): Promise<number> {
    this.#child.kill("SIGINT");
    return await this.ended();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGINT");
    } catch {
      // It has ended.
    }
    await this.ended();
  }

  async #read(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<void> {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) this.#output += text;
  }
}

async function isListening(port: number): Promise<boolean> {
  try {
    (await Deno.connect({ hostname: "127.0.0.1", port })).close();
    return true;
  } catch {
    return false;
  }
}

/** A first port whose whole family of ports is free. */
async function unusedFirstPort(): Promise<number> {
  const { proxyProtocol, sites } = demoPorts(0);
  return await unusedPortBlock([proxyProtocol, ...sites]);
}

testWithCommands(
  ["curl", "openssl"],
  "devserver prints commands that work, stops on Ctrl-C, and keeps its folder for the next run",
  async () => {
    const parent = await Deno.makeTempDir();
    const folder = join(parent, "srv");
    const port = await unusedFirstPort();
    try {
      for (const [run, state] of ["just made", "kept from an earlier run"].entries()) {
        await using server = new DevServer(folder, run === 0 ? port : 1);
        await server.ready();
        assert.match(server.output, new RegExp(state));
        const demos = demoCommands(demoPorts(port), folder);
        for (const { command, prints } of demos) {
          assert.ok(server.output.includes(`\n${command}\n`), command);
          const { code, stdout, stderr } = await runCommand("sh", ["-c", command], { cwd: ROOT });
          assert.equal(code === 0, prints !== undefined, `${command}: ${code} ${stderr}`);
          assert.ok(prints === undefined ? stdout === "" : stdout.startsWith(prints), stdout);
        }
        assert.equal(await server.interrupt(), 0, server.output);
        assert.match(server.output, /stopped, drained/);
        assert.equal(await isListening(port), false);
      }
    } finally {
      await Deno.remove(parent, { recursive: true });
    }
  },
);

Deno.test("devserver --tour shows every step, and ends", async () => {
  const parent = await Deno.makeTempDir();
  try {
    await using server = new DevServer(join(parent, "srv"), await unusedFirstPort(), "--tour");
    assert.equal(await server.ended(), 0, server.output);
    const titles = server.output.match(/^\d+\. .*$/gm);
    assert.deepEqual(titles, TOUR.map(({ title }, index) => `${index + 1}. ${title}`));
    const logged = server.output.match(/^ {3}logged: .*outcome=\w+/gm);
    assert.equal(logged?.length, TOUR.length);
  } finally {
    await Deno.remove(parent, { recursive: true });
  }
});

Deno.test("devserver says in one line which port is in use", async () => {
  const parent = await Deno.makeTempDir();
  const port = await unusedFirstPort();
  const blocker = createServer().listen(demoPorts(port).sites[1], "127.0.0.1");
  await once(blocker, "listening");
  try {
    await using server = new DevServer(join(parent, "srv"), port);
    assert.equal(await server.ended(), 1);
    const lines = server.output.trim().split("\n").filter((line) => !line.startsWith("Task "));
    assert.deepEqual(lines, [
      `devserver: port ${demoPorts(port).sites[1]}, for the demo site two.localhost, is in use`,
    ]);
  } finally {
    blocker.close();
    await Deno.remove(parent, { recursive: true });
  }
});
