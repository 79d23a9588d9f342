import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { createServerIdentity } from "../support/certificates.ts";
import { runCommand, testWithCommands } from "../support/commands.ts";
import { McnsProcess } from "../support/mcns_process.ts";
import { ROOT } from "../support/module_graph.ts";
import { unusedPort } from "../support/ports.ts";
import { UdpClient } from "../support/served_zones.ts";
import { temporaryFolder } from "../support/temporary_folder.ts";
import { queryFor, readAnswer } from "../support/zone_samples.ts";

const TOKEN = "an-operators-token";
const ZONE = "mcp.example";
const FILE = "$TTL 300\n@ SOA ns host 7 3600 600 604800 60\n@ NS ns\nns A 192.0.2.1\n";

/** `mcns COMMAND`, in a process of its own. */
async function mcnsCommand(...args: string[]) {
  const flags = ["--no-check", "--no-prompt", "-A", "--config", join(ROOT, "deno.json")];
  const entry = join(ROOT, "lib/cli/mcns.ts");
  return await runCommand(Deno.execPath(), ["run", ...flags, entry, ...args]);
}

testWithCommands(
  ["curl"],
  "what is imported and added is answered at once, and after a restart",
  async () => {
    using folder = temporaryFolder();
    const identity = await createServerIdentity("localhost");
    const files = { cert: identity.certPem, key: identity.keyPem, ca: identity.ca, zone: FILE };
    for (const [name, text] of Object.entries(files)) {
      await Deno.writeTextFile(join(folder.path, name), text);
    }
    const [rest, grpc] = [await unusedPort(), await unusedPort()];
    const hash = createHash("sha256").update(TOKEN).digest("hex");
    const config = `[server]
listen_addr = "127.0.0.1:${rest}"
grpc_addr = "127.0.0.1:${grpc}"
tls_cert = "${folder.path}/cert"
tls_key = "${folder.path}/key"
[auth]
token_hashes = ["sha256:${hash}"]
[dns]
listen_addr = "127.0.0.1:0"
`;
    const answersTo = async (mcns: McnsProcess, name: string) => {
      using udp = new UdpClient(mcns.address);
      return readAnswer(await udp.ask(queryFor(`${name} A`))).answer;
    };
    {
      await using mcns = await McnsProcess.start({ folder: folder.path, config });
      const zone = join(folder.path, "zone");
      const toml = join(folder.path, "mcns.toml");
      const imported = await mcnsCommand("import", "--config", toml, ZONE, zone);
      assert.equal(
        imported.stdout,
        `imported the zone ${ZONE}: 3 records (3 added, 0 removed, 0 changed), serial 7\n`,
        imported.stderr,
      );
      assert.deepEqual(await answersTo(mcns, "ns.mcp.example"), [
        "ns.mcp.example. 300 A 192.0.2.1",
      ]);
      const { stdout, stderr } = await runCommand("curl", [
        ...["-sS", "--cacert", join(folder.path, "ca"), "-X", "POST"],
        ...["-H", `Authorization: Bearer ${TOKEN}`],
        ...["-d", '{"name":"www","type":"A","value":"203.0.113.7","ttl":300}'],
        `https://localhost:${rest}/v1/zones/${ZONE}/records`,
      ]);
      assert.equal(JSON.parse(stdout).serial, 8, stderr);
      assert.deepEqual(await answersTo(mcns, "www.mcp.example"), [
        "www.mcp.example. 300 A 203.0.113.7",
      ]);
      await Deno.writeTextFile(zone, `${FILE}bad A 1\n`);
      const refused = await mcnsCommand("import", "--config", toml, ZONE, zone);
      assert.deepEqual([refused.code, refused.stderr], [
        1,
        `mcns: ${zone}: line 5, column 7: A: not an IPv4 address\n`,
      ]);
      mcns.kill("SIGTERM");
      assert.equal(await mcns.ended(), 0);
    }
    await using again = await McnsProcess.start({ folder: folder.path, config });
    assert.deepEqual(await answersTo(again, "www.mcp.example"), [
      "www.mcp.example. 300 A 203.0.113.7",
    ]);
  },
);
