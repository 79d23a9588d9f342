import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { startEchoBackend } from "../support/backends.ts";
import { runCommand, testWithCommands } from "../support/commands.ts";
import { directoryOf, DOMAIN, issueClient, ISSUER, root, server } from "../support/connector.ts";
import { startConnectorProcess } from "../support/connector_process.ts";
import { eventually, withinDeadline } from "../support/deadline.ts";
import { startProxy } from "../support/proxy.ts";
import { temporaryFolder } from "../support/temporary_folder.ts";

const alice = await issueClient("acme", "alice");
const PASSWORD = "a password that nobody may see";

Deno.test("the command serves with the flags alone, and its workers reach no database", async () => {
  await using backend = await startEchoBackend();
  const files = {
    "ca.pem": root.certPem,
    "server.pem": server.certPem,
    "server.key": server.keyPem,
    "directory.csv": "kind,id,org_id,internal_ip_addr,user_ids\n" +
      `user,alice,acme,,\nhost,web,acme,${backend.address},alice\n`,
  };
  await using proxy = await startProxy({
    config: {},
    files,
    command: (folder) => [
      "connector",
      ...["--listen", "127.0.0.1:0", "--ca-certs", join(folder, "ca.pem")],
      ...["--server-cert", join(folder, "server.pem"), "--server-key", join(folder, "server.key")],
      ...["--issuer", ISSUER, "--domain", DOMAIN, "--log-level", "info"],
      ...["--allowed-networks", "192.0.2.0/24,127.0.0.0/8"],
      ...["--db", `sqlite:${join(folder, "directory.db")}`, "--db-password", PASSWORD],
    ],
  });
  assert.equal(proxy.process.lines.some((line) => line.includes(PASSWORD)), false);
  const listening = proxy.process.lines.find((line) => line.includes("msg=listening"));
  const port = Number(/port=([0-9]+)/.exec(listening ?? "")?.[1]);
  const imported = await runCommand(Deno.execPath(), [
    ...["run", "-A", "main.ts", "connector", "import", join(proxy.folder, "directory.csv")],
    ...["--db", `sqlite:${join(proxy.folder, "directory.db")}`],
  ]);
  assert.match(imported.stdout, /1 hosts, 0 teams, 1 users/);
  const { connectTls } = await import("../support/clients.ts");
  await using peer = await connectTls({
    port,
    servername: `web.${DOMAIN}`,
    ca: server.ca,
    cert: alice.certPem,
    key: alice.keyPem,
  });
  await peer.write("hello");
  assert.equal(new TextDecoder().decode(await peer.read(5)), "hello");
  peer.end();
  await peer.ending;
});

testWithCommands(["openssl"], "openssl s_client gets through with a certificate only", async () => {
  await using backend = await startEchoBackend();
  const directory = directoryOf(backend.address);
  await using connector = await startConnectorProcess({ directory, asCommand: true });
  using folder = temporaryFolder();
  const [cert, key] = [join(folder.path, "a.pem"), join(folder.path, "a.key")];
  await Deno.writeTextFile(cert, alice.certPem);
  await Deno.writeTextFile(key, alice.keyPem);
  const sClient = async (...more: string[]) => {
    const child = new Deno.Command("openssl", {
      args: [
        ...["s_client", "-connect", `127.0.0.1:${connector.proxy.port()}`],
        ...["-servername", `web.${DOMAIN}`, "-quiet", ...more],
      ],
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode("marco\n")).catch(() => {});
    const reader = child.stdout.getReader();
    const { value } = await withinDeadline(reader.read(), "s_client prints something or ends");
    // With -quiet it does not end when its input does; a refused one has ended already.
    if (value !== undefined) child.kill("SIGKILL");
    await reader.cancel();
    await writer.close().catch(() => {});
    await child.stderr.cancel();
    await child.status;
    return value === undefined ? "" : new TextDecoder().decode(value);
  };
  assert.equal(await sClient("-cert", cert, "-key", key), "marco\n");
  assert.equal(await sClient("-tls1_2", "-cert", cert, "-key", key), "marco\n");
  assert.equal(await sClient(), "");
  const refused = await connector.proxy.outcome("certificate_refused");
  assert.equal(refused.reason, "no_certificate");
});

testWithCommands(["curl"], "curl --cert speaks HTTPS through the connector", async () => {
  const site = createServer((request, response) => response.end(`you asked for ${request.url}`));
  site.listen(0, "127.0.0.1");
  await eventually(() => site.listening, "the site listens");
  try {
    const { port } = site.address() as AddressInfo;
    const directory = directoryOf(`127.0.0.1:${port}`);
    await using connector = await startConnectorProcess({ directory });
    using folder = temporaryFolder();
    const file = async (name: string, text: string) => {
      await Deno.writeTextFile(join(folder.path, name), text);
      return join(folder.path, name);
    };
    const host = `web.${DOMAIN}`;
    const proxyPort = connector.proxy.port();
    const { stdout, code } = await runCommand("curl", [
      ...["-sS", "--resolve", `${host}:${proxyPort}:127.0.0.1`],
      ...["--cacert", await file("ca", server.ca), "--cert", await file("c", alice.certPem)],
      ...["--key", await file("k", alice.keyPem), `https://${host}:${proxyPort}/path`],
    ]);
    assert.deepEqual([code, stdout], [0, "you asked for /path"]);
    const event = await connector.proxy.outcome("relayed");
    assert.equal(event.identity, "acme/alice");
  } finally {
    site.closeAllConnections();
    site.close();
  }
});

Deno.test("mistakes in the flags are told by the name of the flag", async () => {
  const { code, stderr } = await runCommand(Deno.execPath(), [
    ...["run", "-A", "main.ts", "connector", "--db", "mysql", "--db-port", "0"],
    ...["--issuer", "Not A Domain", "--db-password", PASSWORD, "--ca-certs", "/nowhere.pem"],
  ], { env: { NO_COLOR: "1" } });
  assert.equal(code, 1);
  assert.deepEqual(stderr.trim().split("\n").sort(), [
    'mc-proxy: --ca-certs: "/nowhere.pem" does not exist',
    "mc-proxy: --db-port: 0 is not in 1–65535",
    'mc-proxy: --db: "mysql" is invalid: neither postgres nor sqlite:PATH',
    'mc-proxy: --issuer: "Not A Domain" is invalid: a trust domain has lower-case letters, ' +
    "digits, dots, - and _",
    "mc-proxy: --server-cert: is missing",
    "mc-proxy: --server-key: is missing",
  ]);
});
