import assert from "node:assert/strict";
import { join } from "node:path";
import { updateText } from "../../lib/acme/mod.ts";
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
          [{ ...to, key: UPDATE_KEY.secret.replace("c", "d") }, /NOTAUTH|not signed|signature/],
          [{ ...to, keyName: "nobody" }, /NOTAUTH|not signed/],
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
      await assert.rejects(updateText(outside, options), /NOTAUTH|REFUSED|NOTZONE/);
      const late = updateText({ ...change, text: "late", present: true }, { ...options, nowMs: 0 });
      await assert.rejects(late, /NOTAUTH|not signed/);
      assert.deepEqual(await running.texts(NAME), ['"two"']);
    },
  );
}

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
          ],
        }],
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
    await eventually(() => issued().length === 3, "all are issued", 30_000);
    assert.deepEqual(issued().sort(), ["*.a.example", "*.connect.a.example", "a.example"]);
    const ca = await pebble.root();
    for (
      const [asked, named] of [
        ["www.a.example", "DNS:*.a.example"],
        ["host.connect.a.example", "DNS:*.connect.a.example"],
      ] as const
    ) assert.equal(await certificateOf(port, asked, ca), named);
    await eventually(async () => (await names.texts(NAME)).length === 0, "nothing is left");
  },
);
