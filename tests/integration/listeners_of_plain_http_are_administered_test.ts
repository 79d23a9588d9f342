import assert from "node:assert/strict";
import { InvalidArgumentError } from "../../lib/client/mod.ts";
import { startAdmin } from "../support/admin.ts";
import { createServerIdentity } from "../support/certificates.ts";
import { connectRaw } from "../support/clients.ts";
import { runCtl } from "../support/mcproxyctl.ts";
import { unusedPort } from "../support/ports.ts";

Deno.test("a listener becomes one that redirects and back, at run time, and what it needs is checked", async () => {
  await using admin = await startAdmin();
  const { client, folder, addr: listenerAddr, port: https } = admin;
  const { certPem, keyPem } = await createServerIdentity("a.test");
  const [tlsCert, tlsKey] = [`${folder}/c.pem`, `${folder}/k.pem`];
  await Deno.writeTextFile(tlsCert, certPem);
  await Deno.writeTextFile(tlsKey, keyPem);
  const route = { hostname: "a.test", backend: "127.0.0.1:9", mode: "l7", tlsCert, tlsKey };
  const port = await unusedPort();
  const addr = `127.0.0.1:${port}`;

  /** What a request for a name is answered. */
  const ask = async (host: string) => {
    await using peer = await connectRaw({ port });
    peer.socket.write(`GET /x?y HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    const { text, ending } = await peer.readToEnd();
    return /location: (.*)\r\n/.exec(text)?.[1] ?? ending;
  };
  const explain = (sni: string, clientIp = "127.0.0.1") =>
    client.explain({ clientIp, listenerAddr: addr, sni });

  await client.addListener({ addr, kind: "redirect", redirectPort: 8443 });
  assert.equal(await ask("a.test"), "reset");
  await client.addRoute({ listenerAddr, ...route });
  assert.equal(await ask("a.test"), "https://a.test:8443/x?y");
  assert.match((await explain("a.test")).steps.at(-1) ?? "", /308 to https:\/\/a\.test:8443, /);

  await assert.rejects(client.addRoute({ listenerAddr: addr, ...route }), InvalidArgumentError);
  await assert.rejects(
    client.updateListener({ listener: { addr: listenerAddr, kind: "redirect" } }),
    (error: InvalidArgumentError) => error.problems[0]?.field === "listener.kind",
  );
  await assert.rejects(client.addListener({ addr: "127.0.0.1:0", kind: "http" }));

  // What is left out of an update is gone, also in the workers.
  await client.updateListener({ listener: { addr, kind: "redirect" } });
  assert.equal(await ask("a.test"), `https://a.test:${https}/x?y`);
  const { listeners } = await client.listListeners({});
  const found = listeners.find(({ listener }) => listener?.addr === addr)?.listener;
  assert.deepEqual([found?.kind, found?.redirectPort], ["redirect", 0]);

  const mine = { hostname: "a.test", allowedIps: ["192.0.2.1"] };
  const updateMask = { paths: ["allowed_ips"] };
  await client.updateRoute({ listenerAddr, route: mine, updateMask });
  assert.equal(await ask("a.test"), "reset");
  assert.equal((await explain("a.test")).outcome, "no_route");
  assert.equal((await explain("a.test", "192.0.2.1")).verdict, "allow");
  await client.updateRoute({ listenerAddr, route: { ...mine, allowedIps: [] }, updateMask });

  // A default route takes every name, and is no reason to send anybody there.
  const everyName = { hostname: "*", default: true };
  await client.addRoute({ listenerAddr, ...route, ...everyName });
  assert.equal(await ask("evil.test"), "reset");
  assert.equal((await explain("evil.test")).outcome, "no_route");
  assert.equal(await ask("a.test"), `https://a.test:${https}/x?y`);

  await client.updateListener({ listener: { addr } });
  assert.equal(await ask("a.test"), "reset", "no ClientHello");
  await client.addRoute({ listenerAddr: addr, ...route });

  const { stdout } = await runCtl(admin, ["listeners", "list"]);
  assert.match(stdout, /LISTENER +PORT +KIND +PROXY/);
});
