/** Backends where a file is the truth: what calls may not change, what to write instead, and that it works. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { createClient } from "../../lib/client/mod.ts";
import { startEchoBackend } from "../support/backends.ts";
import { connectRaw } from "../support/clients.ts";
import { buildClientHello } from "../support/hello.ts";
import { runCtl } from "../support/mcproxyctl.ts";
import { unusedPort } from "../support/ports.ts";
import { startProxy, writeConfig } from "../support/proxy.ts";
import { temporaryFolder } from "../support/temporary_folder.ts";

const hostname = "a.test";
const hello = buildClientHello({ serverName: hostname });

async function open(port: number) {
  const client = await connectRaw({ port });
  await client.write(hello);
  await client.read(hello.length);
  return client;
}

Deno.test("a backend is drained by the file where that is the truth, as the refusal of the command says", async () => {
  using folder = temporaryFolder();
  await using one = await startEchoBackend();
  await using other = await startEchoBackend();
  const port = await unusedPort();
  const [socketPath, file] = [join(folder.path, "s.sock"), join(folder.path, "mc-proxy.toml")];
  const configOf = (first: Record<string, string>) => ({
    state: { source: "file" },
    grpc: { addr: socketPath },
    server: { workers: 0 },
    listeners: [{
      addr: `127.0.0.1:${port}`,
      routes: [{ hostname, backends: [first, { addr: other.address }] }],
    }],
  });
  await using _ = await startProxy({
    folder: folder.path,
    config: configOf({ addr: one.address }),
  });
  using client = createClient({ socketPath });
  const ctl = (...args: string[]) => runCtl({ socketPath }, args);
  const refusal = (cure: string) =>
    `${file} says what is served (state.source = "file"): ${cure}, then \`mcproxyctl reload\`; `;
  for (
    const [args, cure] of [
      [
        ["drain", hostname, one.address],
        `write state = "drain" at the backend ${one.address} of a.test`,
      ],
      [
        ["down", hostname, one.address],
        `write state = "down" at the backend ${one.address} of a.test`,
      ],
      [["add", hostname, "10.0.0.9:1"], 'add { addr = "10.0.0.9:1" } to the backends of a.test'],
      [["remove", hostname, one.address], `take ${one.address} out of the backends of a.test`],
    ] as const
  ) {
    const { code, stderr } = await ctl("backends", ...args);
    assert.notEqual(code, 0);
    assert.ok(stderr.includes(refusal(cure)), stderr);
  }
  const states = async () =>
    (await client.listBackends({ hostname })).backends.map(({ condition }) => condition);
  assert.deepEqual(await states(), ["up", "up"], "which has changed nothing");
  await using live = await open(port);
  await writeConfig(folder.path, { config: configOf({ addr: one.address, state: "drain" }) });
  const reloaded = await ctl("reload");
  assert.equal(reloaded.code, 0, reloaded.stderr);
  assert.deepEqual(await states(), ["drain", "up"]);
  const before = one.connections.length;
  for (let i = 0; i < 4; i++) {
    await using _ = await open(port);
  }
  assert.equal(one.connections.length, before, "it gets nothing new");
  await live.write("still here");
  assert.equal(new TextDecoder().decode(await live.read(10)), "still here");
  const up = await ctl("backends", "up", hostname, one.address);
  assert.ok(
    up.stderr.includes(refusal(`write state = "up" at the backend ${one.address} of a.test`)),
  );
  live.end();
  await live.ending;
});
