import assert from "node:assert/strict";
import { join } from "node:path";
import { runCommand, testWithCommands } from "../support/commands.ts";
import { ADMIN_TOKEN, startMcnsAdmin } from "../support/mcns_admin.ts";
import { ROOT } from "../support/module_graph.ts";
import { linkNodeModules } from "../support/node_modules.ts";

const FILE = "$TTL 300\n@ SOA ns host 70 3600 600 604800 60\n@ NS ns\nns A 192.0.2.1\n" +
  Array.from({ length: 3000 }, (_, i) => `n${i} A 192.0.2.2\n`).join("");

testWithCommands(["node"], "Node's grpc-js over TLS with the proto file", async () => {
  await using mcns = await startMcnsAdmin();
  await linkNodeModules(mcns.folder);
  const script = join(mcns.folder, "client.cjs");
  await Deno.copyFile(join(ROOT, "tests/testdata/foreign_mcns_client.cjs"), script);
  await Deno.writeTextFile(join(mcns.folder, "zone"), FILE);
  const { code, stdout, stderr } = await runCommand("node", [
    "--preserve-symlinks",
    "--preserve-symlinks-main",
    script,
    `${mcns.ports.grpc}`,
    join(ROOT, "proto"),
    mcns.caPath,
    ADMIN_TOKEN,
    join(mcns.folder, "zone"),
  ]);
  assert.equal(code, 0, stderr);
  const found = JSON.parse(stdout);
  assert.deepEqual(found, {
    health: 1,
    none: 16,
    wrong: 16,
    added: { id: "3", name: "ns.example.net.", type: "A", value: "203.0.113.7", ttl: 300 },
    duplicate: 6,
    invalid: [3, "value"],
    aborted: 10,
    read: 2,
    denied: 7,
    imported: ["3001", "1", false],
    exported: 3003,
    set: "10 a.example.net.",
    got: 60,
    replaced: "m.example.net.",
    gone: 5,
    explained: "answer",
    audit: "RemoveRecord",
    status: "1",
    tokens: "a",
    removed: 16,
    kept: true,
    zones: 0,
  });
  assert.deepEqual(mcns.messages, []);
});

testWithCommands(["grpcurl"], "grpcurl over TLS by reflection", async () => {
  await using mcns = await startMcnsAdmin();
  const to = ["-cacert", mcns.caPath, "-H", `authorization: Bearer ${ADMIN_TOKEN}`];
  const address = `localhost:${mcns.ports.grpc}`;
  const service = "mcns.v1.ZoneService";
  const listed = await runCommand("grpcurl", [...to, address, "list"]);
  assert(listed.stdout.split("\n").includes(service), listed.stderr);
  const zone = JSON.stringify({ zone: "a.example", "name_servers": ["ns"] });
  const made = await runCommand("grpcurl", [...to, "-d", zone, address, `${service}/CreateZone`]);
  assert.equal(JSON.parse(made.stdout).done.serial, 1, made.stderr);
});

testWithCommands(["curl"], "curl adds a record as the operators' scripts do", async () => {
  await using mcns = await startMcnsAdmin();
  const base = `https://localhost:${mcns.ports.rest}`;
  const curl = async (...args: string[]) => {
    const fixed = ["-sS", "--cacert", mcns.caPath, "-H", `Authorization: Bearer ${ADMIN_TOKEN}`];
    const { stdout, stderr } = await runCommand("curl", [...fixed, ...args]);
    assert.equal(stderr, "");
    return stdout;
  };
  const zone = `${base}/v1/zones/mcp.metacircular.net`;
  await Deno.writeTextFile(join(mcns.folder, "zone"), FILE);
  const upload = ["-T", join(mcns.folder, "zone"), `${zone}/file`];
  assert.equal(JSON.parse(await curl(...upload)).records, 3003);
  const body = '{"name":"ns","type":"A","value":"203.0.113.7","ttl":300}';
  const added = JSON.parse(await curl("-X", "POST", `${zone}/records`, "-d", body));
  assert.deepEqual([added.name, added.serial], ["ns.mcp.metacircular.net.", 71]);
  assert.match(await curl("-i", "-X", "POST", `${zone}/records`, "-d", body), / 409/);
  for (const protocol of ["--http1.1", "--http2"]) {
    const text = await curl(protocol, `${zone}/file`);
    assert.equal(text.split("\n").length, 3005);
  }
  // What curl would make of dots is sent as it is.
  assert.match(await curl("-i", "--path-as-is", `${zone}/../../status`), / 404/);
  // The same over the socket of the owner: everything is in the database.
  assert.equal(mcns.database.records.count(), 3004);
});

testWithCommands(["curl"], "who shows no token makes nobody read what he sends", async () => {
  await using mcns = await startMcnsAdmin();
  const path = "/mcns.v1.ZoneService/ImportZone";
  await Deno.writeFile(join(mcns.folder, "large"), new Uint8Array(8 * 1024 * 1024));
  const { stdout } = await runCommand("curl", [
    ...["-sS", "--http2", "--cacert", mcns.caPath, "-o", "/dev/null"],
    ...["-w", "%{size_upload}", "-H", "content-type: application/grpc", "-H", "te: trailers"],
    ...["--data-binary", `@${join(mcns.folder, "large")}`],
    `https://localhost:${mcns.ports.grpc}${path}`,
  ]);
  assert(Number(stdout) < 1024 * 1024, `${stdout} octets were read`);
});
