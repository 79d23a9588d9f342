import assert from "node:assert/strict";
import { join } from "node:path";
import { createClient } from "../../lib/client/mod.ts";
import { addText, callDnsRest, DnsRestError, removeText } from "../../lib/dns_rest/mod.ts";
import { describeError } from "../../lib/observe/mod.ts";
import { testWithCommands } from "../support/commands.ts";
import { eventually } from "../support/deadline.ts";
import { ADMIN_TOKEN, startMcnsAdmin } from "../support/mcns_admin.ts";
import { McnsBeside } from "../support/mcns_beside.ts";
import { type Pebble, PEBBLE_COMMANDS, startPebble } from "../support/pebble.ts";
import { unusedPort } from "../support/ports.ts";
import { type Proxy, startProxy } from "../support/proxy.ts";
import { certificateOf } from "../support/server_certificate.ts";
import { withFolder } from "../support/acme_proxy.ts";

const ZONE = "@ SOA ns host 1 3600 600 604800 1\n@ NS ns\nns A 127.0.0.1\n";
const PROOF = "_acme-challenge.a.example";
const ROUTE = { backend: "127.0.0.1:9", mode: "l7", "tls_cert": "acme" };

Deno.test("texts are added and removed one by one, and what a name server refuses is said", async () => {
  await using mcns = await startMcnsAdmin();
  const server = `https://localhost:${mcns.ports.rest}/`;
  const options = { server, caPem: mcns.ca, token: ADMIN_TOKEN };
  const { signal } = new AbortController();
  const call = (method: "POST" | "GET", path: string, body?: unknown) =>
    callDnsRest(options, { method, path, body });
  await call("POST", "/v1/zones", { name: "a.example", name_servers: ["ns"] });
  const records = async () => {
    const { json } = await call("GET", "/v1/zones/a.example/records?type=TXT");
    return (json.records as { value: string; ttl: number }[]).map(({ value, ttl }) =>
      `${value} ${ttl}`
    );
  };
  const record = { zone: "a.example", name: PROOF, ttl: 60 };
  for (const text of ["one", "two", "one"]) await addText(options, { ...record, text }, signal);
  assert.deepEqual(await records(), ['"one" 60', '"two" 60'], "a text that is there stays");
  await addText(options, { ...record, ttl: 30, text: "three" }, signal);
  assert.deepEqual(await records(), ['"one" 60', '"two" 60', '"three" 60'], "a set has one TTL");
  for (let i = 0; i < 2; i++) await removeText(options, { ...record, text: "one" }, signal);
  assert.deepEqual(await records(), ['"two" 60', '"three" 60']);

  const refused = async (change: Partial<typeof options>, zone: string, reason: RegExp) => {
    const add = addText({ ...options, ...change }, { ...record, zone, text: "x" }, signal);
    await assert.rejects(
      add,
      (error) => error instanceof DnsRestError && reason.test(describeError(error)),
    );
  };
  await refused({ token: "wrong" }, "a.example", /refuses: .*look at token_file/);
  await refused({}, "b.example", /refuses: the zone b\.example\. does not exist/);
  await refused(
    { server: `https://localhost:${await unusedPort()}/` },
    "a.example",
    /cannot be reached/,
  );
  await refused(
    { caPem: undefined as never },
    "a.example",
    /cannot be reached: .*(certificate|UnknownIssuer)/i,
  );
  const { json } = await call("POST", "/v1/tokens", { name: "other", scopes: ["write:c.example"] });
  await refused({ token: String(json.token) }, "a.example", /needs write:ZONE/);
});

/** A proxy whose names are proved at the name server beside it. */
async function startBeside(
  { pebble, mcns, folder, port, hostnames, more = {} }: {
    readonly pebble: Pebble;
    readonly mcns: McnsBeside;
    readonly folder: string;
    readonly port: number;
    readonly hostnames: readonly string[];
    readonly more?: Readonly<Record<string, unknown>>;
  },
): Promise<Proxy> {
  return await startProxy({
    folder,
    config: (folder) => ({
      listeners: [{
        addr: `127.0.0.1:${port}`,
        routes: hostnames.map((hostname) => ({ hostname, ...ROUTE })),
      }],
      grpc: { addr: join(folder, "admin.sock") },
      acme: {
        ...{ directory: pebble.directory, agree_tos: true, challenge: "dns-01" },
        ca_cert: join(folder, "acme-ca.pem"),
      },
      mcns: mcns.section(folder, more),
    }),
    files: { "acme-ca.pem": pebble.caPem, ...await mcns.files() },
  });
}

const names = (proxy: Proxy) => proxy.events("certificate issued").map((it) => it.hostname);
const failures = (proxy: Proxy) => proxy.events("certificate could not be obtained");

testWithCommands(
  PEBBLE_COMMANDS,
  "names and wildcards are proved at mcns, whatever is killed meanwhile, and no proof is left behind",
  async () => {
    await using mcns = await McnsBeside.start({ "a.example": ZONE });
    await using pebble = await startPebble({ dnsServer: mcns.dns });
    const nothingIsLeft = () =>
      eventually(async () => (await mcns.ask(PROOF, "TXT")).length === 0, "nothing is left");
    await withFolder(async (folder) => {
      const port = await unusedPort();
      const wildcard = { pebble, mcns, folder, port, hostnames: ["*.a.example"] };
      {
        // Killed while the proof is to be seen.
        await using proxy = await startBeside({ ...wildcard, more: { propagation: "10m" } });
        await eventually(
          async () => (await mcns.ask(PROOF, "TXT")).length === 1,
          "a proof is shown",
        );
        await proxy.stop("SIGKILL");
      }
      assert.equal((await mcns.ask(PROOF, "TXT")).length, 1, "nobody took it back");
      await using proxy = await startBeside(wildcard);
      await eventually(() => names(proxy).length === 1, "it is issued", 30_000);
      assert.equal(
        await certificateOf(port, "www.a.example", await pebble.root()),
        "DNS:*.a.example",
      );
      await nothingIsLeft();
    });
  },
);

testWithCommands(
  PEBBLE_COMMANDS,
  "what mcns does not take is told in the operator's words and tried again later, and what it missed is removed",
  async () => {
    await using mcns = await McnsBeside.start({ "a.example": ZONE });
    await using pebble = await startPebble({ dnsServer: mcns.dns });
    await withFolder(async (folder) => {
      const port = await unusedPort();
      const zones = ["a.example", "b.example"];
      const hostnames = ["www.b.example", "www.c.example", "a.example"];
      const more = { zones, propagation: "10m" };
      await using proxy = await startBeside({ pebble, mcns, folder, port, hostnames, more });
      await eventually(() => failures(proxy).length === 2, "two fail", 30_000);
      const why = new Map(failures(proxy).map((it) => [it.hostname, it]));
      const { error, next, failures: count } = why.get("www.b.example") ?? {};
      assert.match(String(error), /refuses: the zone b\.example\. does not exist/);
      assert.equal(count, 1);
      assert(Date.parse(String(next)) > Date.now() + 20_000, "it waits");
      assert.match(String(why.get("www.c.example")?.error), /is in none of the zones/);

      using client = createClient({ socketPath: join(folder, "admin.sock") });
      await Deno.writeTextFile(join(folder, "mcns.token"), "another\n");
      await client.renewCertificate({ hostname: "www.b.example" });
      await eventually(() => failures(proxy).length === 3, "the token is refused", 30_000);
      assert.match(String(failures(proxy).at(-1)?.error), /refuses: .*look at token_file/);
      await Deno.writeTextFile(join(folder, "mcns.token"), (await mcns.options()).token);

      await eventually(
        () => mcns.ask(PROOF, "TXT").then((it) => it.length === 1),
        "a proof shows",
        30_000,
      );
      await mcns.kill();
      await client.removeRoute({ listenerAddr: `127.0.0.1:${port}`, hostname: "a.example" });
      const left = () => proxy.events("a proof was left at the name server");
      await eventually(() => left().length === 1, "its removal fails", 30_000);
      assert.match(String(left()[0]?.error), /cannot be reached/);
      await mcns.restart();
      const removed = () => proxy.events("a proof that was left is removed");
      await eventually(() => removed().length === 1, "it is removed when it can be", 30_000);
      assert.equal(removed()[0]?.hostname, "a.example");
      assert.deepEqual(await mcns.ask(PROOF, "TXT"), []);
    });
  },
);
