import assert from "node:assert/strict";
import { createServer } from "node:net";
import { join } from "node:path";
import { bindPrivately } from "../../lib/admin/mod.ts";
import { startAdmin } from "../support/admin.ts";
import { commandExists, runCommand } from "../support/commands.ts";
import { temporaryFolder } from "../support/temporary_folder.ts";

const mode = (path: string) => (Deno.statSync(path).mode ?? 0) & 0o777;

/** Binds a plain server and looks at the socket before it gets its name. */
async function bind(path: string, seen: (path: string) => void = () => {}, takeOver = false) {
  const server = createServer((socket) => void socket.on("error", () => {}));
  const socket = await bindPrivately(path, async (at) => {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject).listen(at, resolve);
    });
    seen(at);
  }, { takeOver });
  return {
    socket,
    async [Symbol.asyncDispose]() {
      await new Promise((resolve) => server.close(resolve));
      socket[Symbol.dispose]();
    },
  };
}

Deno.test("the socket has mode 0600, and before it has a directory of mode 0700 around it", async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "a.sock");
  let before = -1;
  await using _server = await bind(path, (at) => {
    before = mode(join(at, ".."));
    assert.throws(() => Deno.statSync(path), Deno.errors.NotFound);
  });
  assert.equal(before, 0o700);
  assert.equal(mode(path), 0o600);
  assert.deepEqual(folder.names(), ["a.sock"]);
});

Deno.test("a socket that nobody answers on is replaced", async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "a.sock");
  const code = `Deno.listen({ transport: "unix", path: ${JSON.stringify(path)} }); Deno.exit(0);`;
  await runCommand(Deno.execPath(), ["eval", code]);
  assert.ok(Deno.lstatSync(path).isSocket);
  await using _server = await bind(path);
  assert.equal(mode(path), 0o600);
});

Deno.test("a socket on which somebody answers is left alone", async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "a.sock");
  await using _server = await bind(path);
  await assert.rejects(bind(path), { code: "in_use" });
  assert.deepEqual(folder.names(), ["a.sock"]);
});

Deno.test("a process that takes over replaces a socket on which somebody answers", async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "a.sock");
  const old = createServer((socket) => void socket.on("error", () => {}).end("old"));
  const listen = (at: string) =>
    new Promise<void>((resolve, reject) => void old.once("error", reject).listen(at, resolve));
  const first = await bindPrivately(path, listen);
  {
    await using _second = await bind(path, undefined, true);
    await new Promise((resolve) => old.close(resolve));
    first[Symbol.dispose]();
    assert.ok(Deno.lstatSync(path).isSocket, "its predecessor leaves it alone");
  }
  assert.deepEqual(folder.names(), []);
});

Deno.test("what is not a socket is left alone", async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "a.sock");
  Deno.writeTextFileSync(path, "mine");
  await assert.rejects(bind(path), { code: "not_a_socket" });
  assert.equal(Deno.readTextFileSync(path), "mine");
});

Deno.test("a directory that others may write to is refused, a sticky one is not", async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "a.sock");
  Deno.chmodSync(folder.path, 0o777);
  await assert.rejects(bind(path), { code: "directory_writable" });
  Deno.chmodSync(folder.path, 0o1777);
  await using _server = await bind(path);
});

Deno.test("a directory that is missing, and one with a long name, are named", async () => {
  using folder = temporaryFolder();
  await assert.rejects(bind(join(folder.path, "none", "a.sock")), { code: "directory_missing" });
  const long = join(folder.path, "x".repeat(90));
  Deno.mkdirSync(long, { mode: 0o700 });
  await assert.rejects(bind(join(long, "a.sock")), { code: "path_too_long" });
});

Deno.test("closing removes the socket, but not one that another process has put there", async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "a.sock");
  const first = await bind(path);
  Deno.removeSync(path);
  await using _second = await bind(path);
  await first[Symbol.asyncDispose]();
  assert.deepEqual(folder.names(), ["a.sock"]);
});

const canBeAnother = Deno.uid() === 0 && commandExists("setpriv") && commandExists("node");

Deno.test({
  name: canBeAnother
    ? "another user cannot connect"
    : "another user cannot connect (ignored: needs root, setpriv and node)",
  ignore: !canBeAnother,
  async fn() {
    await using admin = await startAdmin();
    Deno.chmodSync(admin.folder, 0o755);
    const path = JSON.stringify(admin.socketPath);
    const script = `require("node:net").connect(${path})
      .on("error", (error) => console.log(error.code))
      .on("connect", () => { console.log("in"); process.exit(); });`;
    const nobody = ["--reuid=65534", "--regid=65534", "--clear-groups", "node", "-e", script];
    assert.equal((await runCommand("setpriv", nobody)).stdout.trim(), "EACCES");
    assert.equal((await runCommand("node", ["-e", script])).stdout.trim(), "in");
  },
});
