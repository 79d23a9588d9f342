import assert from "node:assert/strict";
import { join } from "node:path";
import { updateText } from "../../lib/acme/mod.ts";
import { askAliases, findProofPlace } from "../../lib/control/dns_alias.ts";
import { testWithCommands } from "../support/commands.ts";
import { eventually } from "../support/deadline.ts";
import { type NameServer, startBind, startKnot, UPDATE_KEY } from "../support/name_servers.ts";
import { PEBBLE_COMMANDS, startPebble } from "../support/pebble.ts";
import { unusedPort } from "../support/ports.ts";
import { certificateOf } from "../support/server_certificate.ts";
import { startProxy } from "../support/proxy.ts";

const SERVERS: readonly (readonly [string, string, () => Promise<NameServer>])[] = [
  ["Knot DNS", "knotd", startKnot],
  ["BIND", "named", startBind],
];

const NAME = "_acme-challenge.a.example";

for (const [server, command, start] of SERVERS) {
  testWithCommands(
    [command, "dig"],
    `updateText() adds and removes one text of several at ${server}, with the right key alone`,
    async () => {
      await using running = await start();
      const { port } = running;
      const to = { hostname: "127.0.0.1", port, keyName: UPDATE_KEY.name, key: UPDATE_KEY.secret };
      const options = { server: to, nowMs: Date.now(), signal: AbortSignal.timeout(10_000) };
      const change = { zone: "a.example", name: NAME };
      for (const text of ["one", "two"]) {
        await updateText({ ...change, text, present: true }, options);
      }
      assert.deepEqual((await running.texts(NAME)).sort(), ['"one"', '"two"']);
      await updateText({ ...change, text: "one", present: false }, options);
      assert.deepEqual(await running.texts(NAME), ['"two"']);
      for (
        const [wrong, reason] of [
          [{ ...to, key: UPDATE_KEY.secret.replace("c", "d") }, /BADSIG, .*key_file|signature/],
          [{ ...to, keyName: "nobody" }, /BADKEY, .*key_name/],
          [{ ...to, key: "not base64!" }, /not base64/],
        ] as const
      ) {
        const update = updateText({ ...change, text: "evil", present: true }, {
          ...options,
          server: wrong,
        });
        await assert.rejects(update, reason);
      }
      const outside = {
        zone: "b.example",
        name: "_acme-challenge.b.example",
        text: "x",
        present: true,
      };
      await assert.rejects(updateText(outside, options), /NOTAUTH|REFUSED|NOTZONE|BADKEY/);
      const late = updateText({ ...change, text: "late", present: true }, { ...options, nowMs: 0 });
      await assert.rejects(late, /BADTIME, its clock/);
      assert.deepEqual(await running.texts(NAME), ['"two"']);
    },
  );
}

testWithCommands(
  ["knotd", "dig"],
  "a zone that takes no changes leads to one that does, by CNAMEs that are bounded",
  async () => {
    await using names = await startKnot();
    const server = `127.0.0.1:${names.port}`;
    const zones = ["a.example"];
    const aliasOf = askAliases({ server, zones, resolvers: [server] });
    const find = (host: string) => {
      const signal = AbortSignal.timeout(10_000);
      return findProofPlace(`_acme-challenge.${host}`, { zones, aliasOf, signal });
    };
    const zone = "a.example";
    assert.deepEqual(await find("b.example"), { zone, name: "b.proofs.a.example" });
    assert.deepEqual(await find("alias.a.example"), { zone, name: "two.proofs.a.example" });
    assert.deepEqual(await find("a.example"), { zone, name: NAME });
    const wild = "_acme-challenge.x.wild.a.example";
    assert.deepEqual(await find("x.wild.a.example"), { zone, name: wild }, "a wildcard is none");
    await assert.rejects(find("loop.a.example"), /leads through more than 8 CNAMEs/);
    await assert.rejects(find("out.a.example"), /leads to elsewhere\.c\.example, which is in none/);
    await assert.rejects(find("www.b.example"), /it is no CNAME, and is in none/);
  },
);

testWithCommands(
  [...PEBBLE_COMMANDS, "knotd", "dig"],
  "wildcards and the connector's own certificate are issued by dns-01, and no proof is left behind",
  async () => {
    await using names = await startKnot();
    await using pebble = await startPebble({ dnsServer: `127.0.0.1:${names.port}`, badNonces: 5 });
    const port = await unusedPort();
    const route = { backend: "127.0.0.1:9", mode: "l7", "tls_cert": "acme" };
    await using proxy = await startProxy({
      config: (folder) => ({
        listeners: [{
          addr: `127.0.0.1:${port}`,
          routes: [
            { hostname: "*.a.example", ...route },
            { hostname: "a.example", ...route },
            { hostname: "*.connect.a.example", mode: "mtls" },
            // By CNAMEs.
            ...["alias.a", "loop.a", "out.a"].map((it) => {
              return { hostname: `${it}.example`, ...route };
            }),
          ],
        }],
        resolver: { servers: [`127.0.0.1:${names.port}`] },
        connector: {
          ...{ "server_cert": "acme", domain: "connect.a.example" },
          "ca_certs": [join(folder, "ca.pem")],
          db: `sqlite:${join(folder, "connector.db")}`,
        },
        acme: {
          ...{ directory: pebble.directory, agree_tos: true, challenge: "dns-01" },
          ca_cert: join(folder, "acme-ca.pem"),
          dns: {
            ...{ server: `127.0.0.1:${names.port}`, zones: ["a.example"], propagation: "0s" },
            ...{ key_name: UPDATE_KEY.name, key_file: join(folder, "dns.key") },
          },
        },
      }),
      files: {
        "acme-ca.pem": pebble.caPem,
        "ca.pem": pebble.caPem,
        "dns.key": `${UPDATE_KEY.secret}\n`,
      },
    });
    const issued = () => proxy.events("certificate issued").map((it) => it.hostname);
    await eventually(() => issued().length === 4, "all are issued", 30_000);
    assert.deepEqual(issued().sort(), [
      ...["*.a.example", "*.connect.a.example", "a.example", "alias.a.example"],
    ]);
    const failed = () => proxy.events("certificate could not be obtained");
    await eventually(() => failed().length === 2, "two lead nowhere", 30_000);
    const why = new Map(failed().map(({ hostname, error }) => [hostname, String(error)]));
    assert.match(why.get("loop.a.example") ?? "", /leads through more than 8 CNAMEs/);
    assert.match(
      why.get("out.a.example") ?? "",
      /leads to elsewhere\.c\.example, which is in none/,
    );
    const ca = await pebble.root();
    for (
      const [asked, named] of [
        ["www.a.example", "DNS:*.a.example"],
        ["host.connect.a.example", "DNS:*.connect.a.example"],
      ] as const
    ) assert.equal(await certificateOf(port, asked, ca), named);
    for (const name of [NAME, "two.proofs.a.example"]) {
      await eventually(async () => (await names.texts(name)).length === 0, "nothing is left");
    }
  },
);
