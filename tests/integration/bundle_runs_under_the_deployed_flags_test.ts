import assert from "node:assert/strict";
import { join } from "node:path";
import { clientFlags, mcnsctlFlags, serverFlags } from "../../deploy/runtime.ts";
import { startTlsBackend } from "../support/backends.ts";
import { createServerIdentity } from "../support/certificates.ts";
import { connectTls } from "../support/clients.ts";
import { runCommand } from "../support/commands.ts";
import { ADMIN_TOKEN, startMcnsAdmin } from "../support/mcns_admin.ts";
import { placeBundle } from "../support/program.ts";
import { startProxy } from "../support/proxy.ts";
import { temporaryFolder } from "../support/temporary_folder.ts";

Deno.test("the one-script forms of proxy and client work together, with nothing beside them", async () => {
  using folder = temporaryFolder();
  const script = join(folder.path, "mc-proxy.js");
  await placeBundle("mc-proxy", script);
  const identity = await createServerIdentity("one.test");
  await using backend = await startTlsBackend("one", identity);
  await using proxy = await startProxy({
    script,
    flags: (data) => ["--no-config", "--no-npm", ...serverFlags({ source: folder.path, data })],
    config: (data) => ({
      grpc: { addr: join(data, "mc-proxy.sock") },
      server: { workers: 2 },
      history: { path: join(data, "history.db") },
      listeners: [{
        addr: "127.0.0.1:0",
        routes: [{ hostname: "one.test", backend: backend.address }],
      }],
    }),
  });
  for (let round = 0; round < 4; round++) {
    await using client = await connectTls({
      port: proxy.port(),
      servername: "one.test",
      ca: identity.ca,
    });
    assert.equal(await client.readText(4), "one\n");
  }
  const client = join(folder.path, "mcproxyctl.js");
  await placeBundle("mcproxyctl", client);
  const socket = join(proxy.folder, "mc-proxy.sock");
  const flags = ["--no-config", "--no-npm", ...clientFlags(socket)];
  const ctl = async (...args: string[]) => {
    const line = ["run", ...flags, client, "--socket", socket, ...args];
    const { code, stdout, stderr } = await runCommand(Deno.execPath(), line);
    assert.equal(code, 0, stderr);
    return stdout;
  };
  assert.match(await ctl("routes", "list"), /one\.test +l4/);
  // The thread of the history is another one than those of the data plane.
  assert.match(await ctl("history"), /one\.test +relayed/);
});

Deno.test("the one-script form of mcnsctl manages zones through the socket and over the network", async () => {
  await using mcns = await startMcnsAdmin();
  const client = join(mcns.folder, "mcnsctl.js");
  await placeBundle("mcnsctl", client);
  await Deno.writeTextFile(join(mcns.folder, "token"), ADMIN_TOKEN);
  const flags = ["--no-config", "--no-npm", ...mcnsctlFlags(mcns.socketPath)];
  const ctl = async (...args: string[]) => {
    const { code, stdout, stderr } = await runCommand(Deno.execPath(), [
      ...["run", ...flags, client, ...args],
    ]);
    assert.equal(code, 0, stderr);
    return stdout;
  };
  await ctl("--socket", mcns.socketPath, "zones", "add", "a.example", "ns");
  const there = ["--server", `localhost:${mcns.ports.grpc}`, "--ca", mcns.caPath];
  const listed = await ctl(...there, "--token-file", join(mcns.folder, "token"), "zones", "list");
  assert.match(listed, /^a\.example\. /m);
});
