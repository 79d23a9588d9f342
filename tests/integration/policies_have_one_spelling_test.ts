import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { create } from "@bufbuild/protobuf";
import * as pb from "../../lib/admin/gen/mod.ts";
import { acceptDatabase } from "../../lib/db/mod.ts";
import { startAdmin } from "../support/admin.ts";
import { createServerIdentity } from "../support/certificates.ts";
import { unusedPort } from "../support/ports.ts";

const LONG = "x".repeat(1024);

/** A configuration with a listener whose routes have policies, in the spelling of the file. */
async function policiesConfig(folder: string): Promise<{ addr: string; config: string }> {
  const { certPem, keyPem } = await createServerIdentity("a.example");
  await Deno.writeTextFile(join(folder, "a.pem"), certPem);
  await Deno.writeTextFile(join(folder, "a.key"), keyPem);
  const addr = `127.0.0.1:${await unusedPort()}`;
  const config = `
[[listeners]]
addr = "${addr}"
  [[listeners.routes]]
  hostname = "a.example"
  backend = "10.0.0.1:1"
  mode = "l7"
  tls_cert = "${folder}/a.pem"
  tls_key = "${folder}/a.key"
  policies = [
    { type = "require_header", value = "X-Api-Key" },
    { type = "block_user_agent", value = "${LONG}" },
  ]
  [[listeners.routes]]
  hostname = "l4.example"
  backend = "10.0.0.1:1"
  policies = [{ type = "require_header", value = "x-unused" }]
`;
  return { addr, config };
}

Deno.test("seeded policies are found, refused a second time, exported, applied and removed", async () => {
  const folder = await Deno.makeTempDir({ prefix: "mc-proxy-test-" });
  const { addr: listenerAddr, config } = await policiesConfig(folder);
  {
    await using admin = await startAdmin({ folder, config });
    const { client } = admin;
    const hostname = "a.example";
    const listed = async () => (await client.listL7Policies({ listenerAddr, hostname })).policies;
    const seeded = [
      { type: "require_header", value: "x-api-key" },
      { type: "block_user_agent", value: LONG },
    ];
    assert.deepEqual((await listed()).map(({ type, value }) => ({ type, value })), seeded);
    const policy = { type: "require_header", value: "X-API-KEY" };
    await assert.rejects(client.addL7Policy({ listenerAddr, hostname, policy }), {
      code: "already_exists",
    });
    // What the proxy says of itself is what it takes, long values and unused policies included.
    const { state = create(pb.StateSchema) } = await client.exportState({});
    assert.deepEqual((await client.apply({ state })).differences, []);
    await client.removeL7Policy({ listenerAddr, hostname, policy });
    assert.deepEqual((await listed()).map(({ value }) => value), [LONG]);
  }
  await Deno.remove(folder, { recursive: true });
});

Deno.test("policies that earlier versions stored in other spellings are found after a start", async () => {
  const folder = await Deno.makeTempDir({ prefix: "mc-proxy-test-" });
  const { addr: listenerAddr, config } = await policiesConfig(folder);
  const hostname = "a.example";
  {
    await using _ = await startAdmin({ folder, config });
  }
  {
    using db = new DatabaseSync(join(folder, "a.db"));
    db.exec(`INSERT INTO l7_policies (route_id, type, value)
      SELECT id, 'require_header', 'X-Old' FROM routes WHERE hostname = 'a.example';
      INSERT INTO l7_policies (route_id, type, value)
      SELECT id, 'require_header', 'X-API-Key' FROM routes WHERE hostname = 'a.example';
      INSERT INTO l7_policies (route_id, type, value)
      SELECT id, 'require_header', 'X-Old' FROM routes WHERE hostname = 'l4.example'`);
  }
  acceptDatabase(join(folder, "a.db"));
  {
    await using admin = await startAdmin({ folder, config });
    const { client } = admin;
    const policy = { type: "require_header", value: "x-old" };
    await client.removeL7Policy({ listenerAddr, hostname, policy });
    const { policies } = await client.listL7Policies({ listenerAddr, hostname });
    assert.deepEqual(policies.map(({ value }) => value), ["x-api-key", LONG]);
    const { state = create(pb.StateSchema) } = await client.exportState({});
    assert.deepEqual((await client.apply({ state, dryRun: true })).differences, []);
  }
  await Deno.remove(folder, { recursive: true });
});
