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
  const refused = (cure: string) => {
    const message =
      `${file} says what is served (state.source = "file"): ${cure}, then \`mcproxyctl reload\`; ` +
      "here only blocks that end on their own are taken (`mcproxyctl firewall add ... --ttl 1h`)";
    return { code: "failed_precondition", message };
  };
  const at = { hostname, addr: one.address };
  const written = (state: string) =>
    `write state = "${state}" at the backend ${one.address} of a.test`;
  for (
    const [change, cure] of [
      [() => client.setBackendState({ ...at, state: "drain" }), written("drain")],
      [() => client.setBackendState({ ...at, state: "down" }), written("down")],
      [
        () => client.addBackend({ hostname, backend: { addr: "10.0.0.9:1" } }),
        'add { addr = "10.0.0.9:1" } to the backends of a.test',
      ],
      [() => client.removeBackend(at), `take ${one.address} out of the backends of a.test`],
    ] as const
  ) await assert.rejects(change, refused(cure));
  const { code, stderr } = await runCtl({ socketPath }, ["backends", "drain", hostname, at.addr]);
  assert.notEqual(code, 0);
  assert.ok(stderr.includes(written("drain")), stderr);
  const states = async () =>
    (await client.listBackends({ hostname })).backends.map(({ condition }) => condition);
  assert.deepEqual(await states(), ["up", "up"], "which has changed nothing");
  await using live = await open(port);
  await writeConfig(folder.path, { config: configOf({ addr: one.address, state: "drain" }) });
  await client.reload({});
  assert.deepEqual(await states(), ["drain", "up"]);
  const before = one.connections.length;
  for (let i = 0; i < 4; i++) {
    await using _ = await open(port);
  }
  assert.equal(one.connections.length, before, "it gets nothing new");
  await live.write("still here");
  assert.equal(new TextDecoder().decode(await live.read(10)), "still here");
  await assert.rejects(client.setBackendState({ ...at, state: "up" }), refused(written("up")));
  live.end();
  await live.ending;
});
