import assert from "node:assert/strict";
import { join } from "node:path";
import { createAuthority, halfWritten, issueCertificate } from "../support/certificates.ts";
import { connectTls } from "../support/clients.ts";
import { eventually } from "../support/deadline.ts";
import { connectHttp2, HOST, Http2Client, identity, startHttpBackend } from "../support/l7.ts";
import { startL7Proxy } from "../support/l7_proxy.ts";
import { startProxy } from "../support/proxy.ts";
import http2 from "node:http2";
import { once } from "node:events";

/** A pair for {@link HOST} whose common name tells it apart. */
async function issue(authority: Awaited<ReturnType<typeof createAuthority>>, commonName: string) {
  return await issueCertificate(authority, {
    commonName,
    dnsNames: [HOST],
    usages: ["server"],
  });
}

async function connect(port: number, ca: string): Promise<Http2Client> {
  const options = { host: "127.0.0.1", servername: HOST, ca };
  const session = http2.connect(`https://${HOST}:${port}`, options);
  session.on("error", () => {});
  await once(session, "connect");
  return new Http2Client(session);
}

/** The common name of the certificate that a new connection is shown. */
async function shown(port: number, ca: string): Promise<string> {
  await using peer = await connectTls({ port, servername: HOST, ca, ALPNProtocols: ["h2"] });
  return String(peer.socket.getPeerCertificate().subject.CN);
}

Deno.test("certificates are read anew without a restart; a broken pair leaves the old one", async () => {
  const authority = await createAuthority({ commonName: "test root" });
  const ca = authority.certPem;
  const [first, second] = [await issue(authority, "first"), await issue(authority, "second")];
  await using backend = await startHttpBackend("h2c", (_, response) => response.end("ok"));
  await using proxy = await startL7Proxy({ backend: backend.address, pair: first });
  const port = proxy.port();
  await using open = await connect(port, ca);
  assert.equal((await open.ask({ path: "/secret?token=1" })).body, "ok");
  assert.equal(await shown(port, ca), "first");

  const reload = async (message: string, files: Record<string, string>) => {
    const before = proxy.events(message).length;
    for (const [name, text] of Object.entries(files)) {
      await Deno.writeTextFile(join(proxy.folder, name), text);
    }
    Deno.kill(proxy.pid, "SIGHUP");
    await eventually(() => proxy.events(message).length > before, message);
  };
  const kept = "certificate not reloaded, the old one stays in use";
  await reload(kept, { "a.pem": halfWritten(second.certPem) });
  await reload(kept, { "a.pem": second.certPem });
  assert.match(String(proxy.events(kept).at(-1)?.reason), /does not belong/);
  assert.equal(await shown(port, ca), "first");
  await reload("certificate reloaded", { "a.key": second.keyPem });
  assert.equal(await shown(port, ca), "second");

  // The connection from before goes on.
  assert.equal((await open.ask()).body, "ok");
  await eventually(() => proxy.events("request").length >= 2, "the access log");
  const [logged] = proxy.events("request");
  assert.deepEqual([logged?.path, logged?.status, logged?.protocol], ["/secret", 200, "h2"]);
  const log = proxy.process.lines.join("\n");
  assert.equal(log.includes("token=1"), false, "queries are not logged");
  assert.equal(log.includes("PRIVATE KEY"), false, "keys are not logged");
});

Deno.test("a certificate that is never usable refuses its route's connections, not the program", async () => {
  const authority = await createAuthority({ commonName: "test root" });
  const pair = await issue(authority, "first");
  await using backend = await startHttpBackend("h2c", (_, response) => response.end("ok"));
  const folder = await Deno.makeTempDir({ prefix: "mc-proxy-test-" });
  try {
    const config = {
      listeners: [{
        addr: "127.0.0.1:0",
        routes: [{
          hostname: HOST,
          backend: backend.address,
          mode: "l7",
          tls_cert: join(folder, "a.pem"),
          tls_key: join(folder, "a.key"),
        }],
      }],
    };
    const files = { "a.pem": pair.certPem, "a.key": pair.keyPem };
    const seeding = await startProxy({ folder, files, config });
    assert.equal(await seeding.stop(), 0);
    // From now on the database is the truth, and what it names is gone.
    await Deno.remove(join(folder, "a.pem"));
    await using proxy = await startProxy({ folder, config: { listeners: [] } });
    const message = "certificate not usable, connections to the route are refused";
    await eventually(() => proxy.events(message).length === 1, message);
    await assert.rejects(connectHttp2({ port: proxy.port() }));
    assert.equal((await proxy.outcome("tls_failed")).route, HOST);
    await Deno.writeTextFile(join(folder, "a.pem"), pair.certPem);
    Deno.kill(proxy.pid, "SIGHUP");
    await eventually(() => proxy.events("certificate reloaded").length > 0, "it is taken up");
    assert.equal(await shown(proxy.port(), authority.certPem), "first");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("authorities of a backend that are replaced count at once, and the old ones no more", async () => {
  const { authority } = await identity();
  const other = await createAuthority({ commonName: "another root" });
  // Not node:http2, whose server may end the whole process at a GOAWAY (Deno 2.9.6).
  await using backend = await startHttpBackend("http1-tls", (_, response) => response.end("ok"));
  await using proxy = await startL7Proxy({
    backend: backend.address,
    files: { "ca.pem": authority.certPem },
    route: (folder) => ({
      backend_tls: true,
      backend_tls_verify: true,
      backend_ca: join(folder, "ca.pem"),
      backend_server_name: HOST,
    }),
  });
  await using open = await connectHttp2({ port: proxy.port() });
  assert.equal((await open.ask()).status, 200);
  const rotate = async (pem: string) => {
    const before = proxy.events("certificate reloaded").length;
    await Deno.writeTextFile(join(proxy.folder, "ca.pem"), pem);
    Deno.kill(proxy.pid, "SIGHUP");
    await eventually(() => proxy.events("certificate reloaded").length > before, "a reload");
  };
  const asked = async () => {
    await using fresh = await connectHttp2({ port: proxy.port() });
    return [(await fresh.ask()).status, (await open.ask()).status];
  };
  await rotate(other.certPem);
  assert.deepEqual(await asked(), [502, 502], "the backend's authority is trusted no more");
  await rotate(other.certPem + authority.certPem);
  assert.deepEqual(await asked(), [200, 200], "and again");
});
