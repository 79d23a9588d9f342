import assert from "node:assert/strict";
import { once } from "node:events";
import { cpSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { demoCommands, demoPorts } from "../../dev/demo.ts";
import { TOUR } from "../../dev/tour.ts";
import { runCommand, testWithCommands } from "../support/commands.ts";
import { eventually, withinDeadline } from "../support/deadline.ts";
import { shellCommands } from "../support/markdown.ts";
import { ROOT } from "../support/module_graph.ts";
import { unusedPortFamily } from "../support/ports.ts";
import { temporaryFolder } from "../support/temporary_folder.ts";

/** `deno task devserver`, started as a user does. */
class DevServer implements AsyncDisposable {
  #output = "";
  readonly #child: Deno.ChildProcess;
  readonly #reading: Promise<unknown>;

  constructor(
    folder: string,
    port: number,
    { cwd = ROOT, options = [] }: {
      readonly cwd?: string;
      readonly options?: readonly string[];
    } = {},
  ) {
    this.#child = new Deno.Command(Deno.execPath(), {
      args: ["task", "devserver", "--dir", folder, "--port", String(port), ...options],
      cwd,
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

/** A copy of the tree as somebody has it who begins: without `srv/`. */
function freshCheckout(parent: string): string {
  const checkout = join(parent, "mc-proxy");
  for (const name of ["lib", "dev", "deploy", "main.ts", "deno.json", "deno.lock"]) {
    cpSync(join(ROOT, name), join(checkout, name), { recursive: true });
  }
  return checkout;
}

/** What the tour says of its commands, in their order: what each prints, and what is logged. */
const SAID: readonly (readonly [command: RegExp, prints: RegExp, logs?: RegExp])[] = [
  // A curl that is gone before the backend's last octets resets the connection with them.
  [
    /^curl .*one\.localhost:8443\/$/,
    /^backend: one\.localhost\n/,
    /outcome=(relayed|client_reset)/,
  ],
  [/^curl .*two\.localhost:8443\/$/, /^client: 127\.0\.0\.1 port \d+ \(PROXY v2 header\)$/m],
  [/^curl .*web\.localhost:8443\/$/, /HTTP\/1\.1\n[^]*^x-forwarded-for: 127\.0\.0\.1$/m],
  [/^curl --haproxy-protocol /, /^backend: one\.localhost\n/],
  [/alice\.pem/, /alice/],
  [/mallory\.pem/, /^$/, /outcome=not_authorized.* reason=\S/],
  [/^dig .* www\.demo\.test A$/, /^192\.0\.2\.80\n$/],
  [/^curl .*\/v1\/zones\/demo\.test\/records$/, /^\{"id":\d+,"name":"new\.demo\.test\."/],
  [/^dig .* new\.demo\.test A$/, /^192\.0\.2\.82\n$/],
  [/mcnsctl explain x\.dev\.demo\.test A$/, /^x\.dev\.demo\.test A is answered\n/],
  [/mcproxyctl status$/, /^health +ok\n/],
  [/mcproxyctl firewall add ip 127\.0\.0\.1 /, /^added rule #\d+: ip 127\.0\.0\.1 until /],
  [/mcproxyctl explain 127\.0\.0\.1 /, /^verdict: block: blocked \(only a test\)$/m],
  [/devserver --tour$/, /^/],
  [/main\.ts check -c /, /mc-proxy\.toml: ok; /],
];

/** The commands of README's tour. */
function tourCommands(): string[] {
  const readme = Deno.readTextFileSync(join(ROOT, "README.md"));
  const [, section = ""] = /^## A five-minute tour\n([^]*?)^## /m.exec(readme) ?? [];
  return shellCommands(section);
}

testWithCommands(
  ["curl", "openssl", "dig"],
  "README's tour is literally true, in a tree where nothing was run before",
  async () => {
    using parent = temporaryFolder();
    const checkout = freshCheckout(parent.path);
    const port = await unusedFirstPort();
    const run = (command: string) =>
      runCommand("sh", ["-c", literal(command, port)], { cwd: checkout, env: { NO_COLOR: "1" } });
    const commands = tourCommands();
    assert.equal(commands.length, SAID.length);
    await using server = new DevServer("srv", port, { cwd: checkout });
    await server.ready();
    for (const [i, [pattern, prints, logs]] of SAID.entries()) {
      const command = commands[i] ?? "";
      assert.match(command, pattern);
      // A test of its own, below: it uses the same ports.
      if (command.endsWith("devserver --tour")) continue;
      const { stdout, stderr } = await run(command);
      assert.match(stdout, prints, `${command}: ${stderr}`);
      if (logs) await eventually(() => logs.test(server.output), `${command} logs ${logs}`);
      if (pattern.source.includes("firewall add")) {
        const blocked = await run(commands[0] ?? "");
        assertReset(blocked);
      }
      if (pattern.source.includes("haproxy")) {
        const without = await run(command.replace("--haproxy-protocol ", ""));
        assertReset(without);
        await eventually(() => /outcome=proxy_invalid/.test(server.output), "the log says so");
      }
    }
  },
);

/**
 * What curl says of a RST depends on when it comes: before it has looked at its own connect(2), while
 * it writes, or while it reads.
 */
function assertReset({ code, stderr }: { readonly code: number; readonly stderr: string }): void {
  assert.notEqual(code, 0);
  assert.match(
    stderr,
    /Connection reset by peer|Couldn't connect to server|Broken pipe|SSL_ERROR_SYSCALL/,
  );
}

/** As it is written, but for ports that nobody else uses, and the runtime that is here. */
function literal(command: string, port: number): string {
  const { proxyProtocol, names } = demoPorts(port);
  return command.replace(/^npx -y deno@[0-9.]+/, `'${Deno.execPath()}'`)
    .replaceAll(":8443", `:${port}`).replaceAll(":8444", `:${proxyProtocol}`)
    .replace("-p 9543 ", `-p ${names.dns} `).replace(":9544/", `:${names.rest}/`);
}

/** A first port whose whole family of ports is free. */
async function unusedFirstPort(): Promise<number> {
  const { proxyProtocol, sites, names } = demoPorts(0);
  return await unusedPortFamily([proxyProtocol, ...sites, ...Object.values(names)]);
}

testWithCommands(
  ["curl", "openssl", "dig"],
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
        for (const [i, { command, prints }] of demos.entries()) {
          assert.ok(server.output.includes(`\n${command}\n`), command);
          // The second time it is enough that it serves.
          if (run > 0 && i > 0) continue;
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
    await using server = new DevServer(join(parent, "srv"), await unusedFirstPort(), {
      options: ["--tour"],
    });
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
