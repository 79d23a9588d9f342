import assert from "node:assert/strict";
import { join } from "node:path";
import { mcnsFlags } from "../../deploy/runtime.ts";
import { McnsProcess } from "../support/mcns_process.ts";
import { placeBundle } from "../support/program.ts";
import { UdpClient } from "../support/served_zones.ts";
import { temporaryFolder } from "../support/temporary_folder.ts";
import { unusedPort } from "../support/ports.ts";
import { APEX, queryFor, readAnswer } from "../support/zone_samples.ts";

const zones = { "z.example": `${APEX}a A 192.0.2.1\n` };

Deno.test("the one-script form of mcns serves zones, shows how it is, reloads and drains", async () => {
  using folder = temporaryFolder();
  const script = join(folder.path, "mcns.js");
  await placeBundle("mcns", script);
  const metrics = await unusedPort();
  await using mcns = await McnsProcess.start({
    zones,
    config: `[dns]\nlisten_addr = "127.0.0.1:0"\n[metrics]\naddr = "127.0.0.1:${metrics}"\n`,
    program: (data) => {
      const flags = mcnsFlags({ source: folder.path, data });
      return { flags: ["--no-config", "--no-npm", ...flags], script };
    },
  });
  using udp = new UdpClient(mcns.address);
  assert.deepEqual(readAnswer(await udp.ask(queryFor("a.z.example A"))).answer, [
    "a.z.example. 300 A 192.0.2.1",
  ]);
  const get = async (path: string) => {
    const response = await fetch(`http://127.0.0.1:${metrics}${path}`);
    return await response.text();
  };
  assert.equal(await get("/healthz"), "serving\n");
  const text = await get("/metrics");
  assert.match(text, /^mcns_messages_total\{address="127\.0\.0\.1",transport="udp"\} 1$/m);
  assert.match(text, /^mcns_answers_total\{address="127\.0\.0\.1",code="NOERROR"\} 1$/m);
  assert.match(text, /^mcns_zones 1$/m);
  assert.match(text, /^mcns_serving\{address="127\.0\.0\.1"\} 1$/m);
  mcns.kill("SIGHUP");
  await mcns.line(/ msg=reloaded/);
  mcns.kill("SIGTERM");
  assert.equal(await mcns.ended(), 0);
  assert.match(mcns.lines.at(-1) ?? "", / logger=mcns msg="stopped, drained"/);
});

Deno.test("a second mcns on a database, and one that cannot bind, end with one clear line", async () => {
  await using mcns = await McnsProcess.start({ zones });
  const { port } = mcns.address;
  await using second = McnsProcess.spawn({ folder: mcns.folder });
  await using elsewhere = McnsProcess.spawn({
    config: `[dns]\nlisten_addr = "127.0.0.1:${port}"\n`,
  });
  assert.equal(await second.ended(), 1);
  assert.deepEqual(second.lines, [
    `mcns: another process serves the database ${mcns.folder}/mcns.db: stop it first`,
  ]);
  assert.equal(await elsewhere.ended(), 1);
  assert.match(
    elsewhere.lines.at(-1) ?? "",
    new RegExp(`^mcns: cannot serve DNS at 127\\.0\\.0\\.1:${port}: .*[Aa]ddress.*in use`),
  );
  using udp = new UdpClient(mcns.address);
  assert.equal(readAnswer(await udp.ask(queryFor("a.z.example A"))).answer.length, 1);
});

Deno.test("a configuration with problems starts nothing, and check says them", async () => {
  for (const command of ["server", "check"]) {
    await using mcns = McnsProcess.spawn({ config: "[dns]\nupstream = []\n" }, command);
    assert.equal(await mcns.ended(), 1);
    assert.deepEqual(mcns.lines, [
      `mcns: ${mcns.folder}/mcns.toml:4:1: dns.upstream: unknown key; did you mean upstreams?`,
    ]);
  }
});
