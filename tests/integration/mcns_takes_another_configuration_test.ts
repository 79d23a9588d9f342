import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { mcns } from "../../lib/admin/gen/mod.ts";
import { McnsManagement } from "../../lib/cli/mcns_admin.ts";
import { McnsReloader } from "../../lib/cli/mcns_reloader.ts";
import { createServiceClient } from "../../lib/client/mod.ts";
import { type Server } from "../../lib/dns_client/mod.ts";
import { fetchZone, type Primary } from "../../lib/replication/mod.ts";
import { createServerIdentity } from "../support/certificates.ts";
import { eventually } from "../support/deadline.ts";
import { nameOf } from "../support/dns_server.ts";
import { McnsPlane } from "../support/mcns_plane.ts";
import { StreamClient } from "../support/served_zones.ts";
import { APEX, readAnswer, zoneOf } from "../support/zone_samples.ts";
import { keyNamed, TRANSFER_SECRET, ZoneServer } from "../support/zone_server.ts";
import { encodeQuery, TYPE } from "../../lib/dns/mod.ts";

const BY_HAND = { actor: "test", action: "Test" };
const ZONE = nameOf("own.example");
const OPTIONS = { signal: new AbortController().signal, time: () => Math.floor(Date.now() / 1000) };
const hashOf = (token: string) => `sha256:${createHash("sha256").update(token).digest("hex")}`;
const file = (text: string) => new TextEncoder().encode(`$TTL 300\n${APEX}${text}`);

/** What the configuration says beside the addresses. */
interface Said {
  readonly upstream: number;
  readonly key: string;
  readonly token: string;
  readonly more?: string;
}

Deno.test("a name server takes other upstreams, keys, tokens, zones and certificates, or none of it", async () => {
  await using first = await McnsPlane.start({ config: "" });
  await using second = await McnsPlane.start({ config: "" });
  await first.mcns.control.zones.import(nameOf("far.example"), file("www A 192.0.2.1\n"), BY_HAND);
  await second.mcns.control.zones.import(nameOf("far.example"), file("www A 192.0.2.2\n"), BY_HAND);
  await using primary = await ZoneServer.start(zoneOf("z.example.", APEX), {
    addresses: ["127.0.0.1"],
  });
  const identities = [
    await createServerIdentity("localhost"),
    await createServerIdentity("localhost"),
  ];
  const text = (folder: string, { upstream, key, token, more = "" }: Said) => {
    Deno.writeTextFileSync(join(folder, "secret"), `${TRANSFER_SECRET}\n`);
    return `upstreams = ["127.0.0.1:${upstream}"]
[[dns.keys]]
name = "${key}"
secret_file = "${join(folder, "secret")}"
[[dns.zones]]
zone = "own.example"
transfer_keys = ["${key}"]
${more}[auth]
token_hashes = ["${hashOf(token)}"]
[server]
listen_addr = "127.0.0.1:0"
grpc_addr = "127.0.0.1:0"
tls_cert = "${join(folder, "cert.pem")}"
tls_key = "${join(folder, "key.pem")}"
`;
  };
  const begin = { upstream: first.port, key: "first-key", token: "first-token" };
  const certificate = (folder: string, i: number) => {
    Deno.writeTextFileSync(join(folder, "cert.pem"), identities[i]?.certPem ?? "");
    Deno.writeTextFileSync(join(folder, "key.pem"), identities[i]?.keyPem ?? "");
  };
  await using server = await McnsPlane.start({
    config: (folder) => {
      certificate(folder, 0);
      return text(folder, begin);
    },
  });
  const { folder, config, mcns: plane } = server;
  const path = join(folder, "mcns.toml");
  const write = (said: Said, head = "") =>
    Deno.writeTextFileSync(
      path,
      `${head}[database]\npath = "${join(folder, "mcns.db")}"\n[dns]\n` +
        `listen_addr = "127.0.0.1:0"\n${text(folder, said)}`,
    );
  write(begin);
  await plane.control.zones.import(ZONE, file("www A 192.0.2.9\n"), BY_HAND);
  const lines: string[] = [];
  const ports = { rest: 0, grpc: 0 };
  const log = ({ message, fields }: { message: string; fields?: Record<string, unknown> }) => {
    if (message === "managed") {
      Object.assign(ports, { rest: fields?.restPort, grpc: fields?.grpcPort });
    }
    lines.push(`${message} ${fields?.error ?? ""}`);
  };
  const reloader = new McnsReloader({ path, config, log });
  await using management = await McnsManagement.start({
    ...{ config, control: plane.control, sockets: plane.sockets, log, problem: () => "" },
    addresses: () => plane.addresses,
    reload: () => reloader.reload(),
  });
  reloader.add(plane);
  reloader.add(management);
  const transfers = async (name: string) => {
    const at: Server & Primary = { hostname: "127.0.0.1", port: server.port, key: keyNamed(name) };
    const fetched = fetchZone(at, { zone: ZONE, serial: undefined }, OPTIONS);
    return await fetched.then(({ kind }) => kind, () => "refused");
  };
  const isLetIn = async (token: string, i: number) => {
    using client = Deno.createHttpClient({ caCerts: [identities[i]?.ca ?? ""] });
    const headers = { authorization: `Bearer ${token}` };
    try {
      const response = await fetch(`https://localhost:${ports.rest}/v1/status`, {
        client,
        headers,
      });
      await response.body?.cancel();
      return response.status === 200;
    } catch {
      return false; // Another authority's certificate.
    }
  };
  const state = async () => ({
    far: (await server.ask("www.far.example", "A")).answer[0]?.split(" ").at(-1),
    keys: [await transfers("first-key"), await transfers("second-key")],
    tokens: [await isLetIn("first-token", 0), await isLetIn("second-token", 1)],
    z: (await server.ask("ns.z.example", "A")).code,
  });
  const before = await state();
  assert.deepEqual(before, {
    far: "192.0.2.1",
    keys: ["whole", "refused"],
    tokens: [true, false],
    z: 2,
  });
  // Whoever is connected stays, and is answered by what holds then.
  using tcp = await StreamClient.connect({ host: "127.0.0.1", port: server.port });
  const overTcp = async () =>
    readAnswer(
      await tcp.ask(encodeQuery({ id: 1, name: nameOf("www.far.example"), type: TYPE.A })),
    );
  assert.match((await overTcp()).answer.join(), /192\.0\.2\.1$/);

  // Something is wrong: nothing changes.
  const next = { upstream: second.port, key: "second-key", token: "second-token" };
  for (const head of ["[oops]\n", "["]) {
    write(next, head);
    await assert.rejects(reloader.reload(), /mcns\.toml:/);
    assert.deepEqual(await state(), before);
  }
  write(next);
  Deno.writeTextFileSync(join(folder, "cert.pem"), "no certificate");
  await assert.rejects(reloader.reload(), /cert\.pem/);
  assert.deepEqual(await state(), before);
  assert.equal(lines.filter((line) => line.startsWith("not reloaded")).length >= 3, true);

  // All of it.
  certificate(folder, 1);
  const more = `[[dns.secondary]]\nzone = "z.example"\nprimaries = ["127.0.0.1:${primary.port}"]\n`;
  write({ ...next, more });
  assert.deepEqual(await reloader.reload(), []);
  await server.says("ns.z.example", "A", "192.0.2.53");
  const after = { far: "192.0.2.2", keys: ["refused", "whole"], tokens: [false, true], z: 0 };
  assert.deepEqual(await state(), after);
  assert.match((await overTcp()).answer.join(), /192\.0\.2\.2$/);

  // mcnsctl asks through gRPC; what is not taken is said.
  write({ ...next, more: `${more}[dns.limits]\ntcp_pipeline = 7\n` });
  using client = createServiceClient(mcns.ZoneService, {
    target: { address: `localhost:${ports.grpc}`, caPem: identities[1]?.ca },
    metadata: { authorization: "Bearer second-token" },
  });
  const { warnings } = await client.reload({});
  assert.deepEqual(warnings, ["dns.limits is taken at the next start"]);
  write(next, "[oops]\n");
  await assert.rejects(client.reload({}), /oops/);
  // The zone is not in the file any more, and so our own.
  write(next);
  await reloader.reload();
  assert.equal(plane.control.zone(nameOf("z.example")).secondary, undefined);
  assert.deepEqual(await state(), after);
});

Deno.test("no question is lost while a name server takes one configuration after the other", async () => {
  await using first = await McnsPlane.start({ config: "" });
  await first.mcns.control.zones.import(nameOf("far.example"), file("*.w A 192.0.2.1\n"), BY_HAND);
  await using server = await McnsPlane.start({
    config: `upstreams = ["127.0.0.1:${first.port}"]\n`,
  });
  await server.mcns.control.zones.import(ZONE, file("www A 192.0.2.9\n"), BY_HAND);
  let asked = 0;
  let isOver = false;
  const asking = Array.from({ length: 4 }, async (_, i) => {
    while (!isOver) {
      const name = asked++ % 2 === 0 ? "www.own.example" : `q${i}-${asked}.w.far.example`;
      const { code, answer } = await server.ask(name, "A");
      assert.deepEqual([code, answer.length], [0, 1], name);
    }
  });
  for (let i = 0; i < 10; i++) await server.mcns.prepare(server.config)();
  const before = asked;
  await eventually(() => asked > before + 8, "questions go on");
  isOver = true;
  await Promise.all(asking);
});
