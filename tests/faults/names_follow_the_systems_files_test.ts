import assert from "node:assert/strict";
import { startEchoBackend } from "../support/backends.ts";
import { connectRaw } from "../support/clients.ts";
import { eventually } from "../support/deadline.ts";
import { DnsServer, respondWith } from "../support/dns_server.ts";
import { buildClientHello } from "../support/hello.ts";
import { startProxy } from "../support/proxy.ts";
import { temporaryFolder } from "../support/temporary_folder.ts";

/** Where name servers listen that a resolv.conf can name: on port 53 of addresses of this machine. */
const SERVERS = [1, 2].map((i) => `127.${60 + i}.${Deno.pid >> 8 & 255}.${Deno.pid & 255}`);

/** Gives the command behind it files of its own in the place of the system's. */
const OWN_FILES = [
  "unshare",
  "--mount",
  "sh",
  "-c",
  'mount --bind "$0" /etc/hosts && mount --bind "$1" /etc/resolv.conf && shift && exec "$@"',
];

/** Whether this user may mount, and listen on port 53. */
const CAN = (() => {
  try {
    Deno.listen({ hostname: SERVERS[0] ?? "", port: 53 }).close();
    return new Deno.Command("unshare", { args: ["--mount", "true"] }).outputSync().success;
  } catch {
    return false;
  }
})();

Deno.test({
  name: `names are resolved by /etc/hosts and /etc/resolv.conf, as they are by now${
    CAN ? "" : " (ignored: no right to mount and to listen on port 53 here)"
  }`,
  ignore: !CAN,
  async fn() {
    await using backend = await startEchoBackend();
    const [old = "", young = ""] = SERVERS;
    const knows = (name: string) => (asked: Parameters<typeof respondWith>[0]) =>
      asked.name === name ? respondWith(asked, "127.0.0.1", 1) : [];
    await using _first = DnsServer.start(knows("a.back.test"), { hostname: old, port: 53 });
    await using second = DnsServer.start(knows("b.back.test"), { hostname: young, port: 53 });
    using folder = temporaryFolder();
    const [hosts, resolvConf] = [`${folder.path}/hosts`, `${folder.path}/resolv.conf`];
    Deno.writeTextFileSync(hosts, "127.0.0.1 h.back.test\n");
    Deno.writeTextFileSync(resolvConf, `nameserver ${old}\noptions timeout:1 attempts:1\n`);
    await using proxy = await startProxy({
      wrapper: [...OWN_FILES, hosts, resolvConf],
      config: {
        listeners: [{
          addr: "127.0.0.1:0",
          routes: ["a", "b", "h", "i"].map((name) => ({
            hostname: `${name}.test`,
            backend: `${name}.back.test:${backend.port}`,
          })),
        }],
      },
    });
    const port = proxy.port();
    const reaches = async (serverName: string): Promise<boolean> => {
      const hello = buildClientHello({ serverName });
      await using client = await connectRaw({ port });
      client.end(hello);
      return (await client.readToEnd()).bytes.length === hello.length;
    };
    assert(await reaches("h.test"), "/etc/hosts names it");
    assert(await reaches("a.test"), "the server of /etc/resolv.conf knows it");
    assert(!await reaches("b.test"), "and does not know this one");
    assert.deepEqual(second.asked, []);
    // In place, as the files are mounted.
    Deno.writeTextFileSync(hosts, "127.0.0.1 i.back.test\n");
    Deno.writeTextFileSync(resolvConf, `nameserver ${young}\n`);
    await eventually(() => reaches("b.test"), "the new server is asked", 40_000);
    await eventually(() => reaches("i.test"), "the new line of /etc/hosts counts", 40_000);
    assert(!second.asked.some(({ name }) => name === "i.back.test"), "nobody was asked for it");
  },
});
