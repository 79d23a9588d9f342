/** Error pages that are files: read by the control plane, noticed when they change, kept when not. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { loadConfig } from "../../lib/config/mod.ts";
import { MAX_PAGE_FILE } from "../../lib/state/mod.ts";
import { type AdminFixture, startAdmin } from "../support/admin.ts";
import { connectHttp1, HOST, identity } from "../support/l7.ts";
import { eventually } from "../support/deadline.ts";
import { runCtl } from "../support/mcproxyctl.ts";
import { unusedPort } from "../support/ports.ts";
import { startProxy } from "../support/proxy.ts";
import { temporaryFolder } from "../support/temporary_folder.ts";

interface Page {
  readonly status: number;
  readonly file: string;
}

/** The files of an l7 route, and the route as mcproxyctl is told of it. */
async function filesIn(folder: string, pages: Readonly<Record<string, string>> = {}) {
  const { certPem, keyPem } = await identity();
  const path = (name: string) => join(folder, name);
  const files = { "a.pem": certPem, "a.key": keyPem, ...pages };
  for (const [name, text] of Object.entries(files)) await Deno.writeTextFile(path(name), text);
  const backend = `127.0.0.1:${await unusedPort()}`;
  const keys = ["--tls-cert", path("a.pem"), "--tls-key", path("a.key")];
  const flags = (page: Page) => ["--mode", "l7", ...keys, "--error-pages", JSON.stringify(page)];
  const route = (listenerAddr: string, page: Page) => ({
    ...{ listenerAddr, hostname: HOST, backend, mode: "l7", errorPages: [page] },
    ...{ tlsCert: path("a.pem"), tlsKey: path("a.key") },
  });
  return { path, backend, flags, route };
}

/** What the one who asks is told when the backend is away. */
async function said(port: number, authority = HOST): Promise<readonly [number, string]> {
  await using client = await connectHttp1({ port });
  const { status, body } = await client.ask({ authority });
  return [status, body];
}

const PLAIN = [502, "502 Bad Gateway\n"] as const;

/** Looks at the files at once, as is done every five seconds. */
const look = (admin: AdminFixture) => admin.control.upkeep.lookAtCertificates();

Deno.test("a page that changes is said from the next look on, and one that is lost stays", async () => {
  using folder = temporaryFolder();
  const { path, route } = await filesIn(folder.path, {
    "502.html": "<p>one",
    "421.html": "<p>all",
  });
  await using admin = await startAdmin({
    config: `[[l7.error_pages]]\nstatus = 421\nfile = "${path("421.html")}"\n`,
  });
  admin.expectedErrors.push("error page not reloaded");
  const page = { status: 502, file: path("502.html") };
  await admin.client.addRoute(route(admin.addr, page));
  assert.deepEqual(await said(admin.port), [502, "<p>one"]);
  assert.deepEqual(await said(admin.port, "b.test"), [421, "<p>all"]);

  // A client that is connected already is told what the route says now.
  await using open = await connectHttp1(admin);
  assert.equal((await open.ask({ authority: "b.test" })).body, "<p>all");
  const { listenerAddr, ...fields } = route(admin.addr, page);
  const errorPages = [page, { status: 421, body: "<p>own" }];
  await admin.client.updateRoute({ listenerAddr, route: { ...fields, errorPages } });
  assert.equal((await open.ask({ authority: "b.test" })).body, "<p>own");

  await Deno.writeTextFile(path("502.html"), "<p>two");
  await look(admin);
  assert.deepEqual(await said(admin.port), [502, "<p>two"]);
  assert.ok(admin.logs.some(({ message }) => message === "error page reloaded"));

  const broken: Readonly<Record<string, () => Promise<void>>> = {
    "No such file": () => Deno.remove(path("502.html")),
    "is empty": () => Deno.writeTextFile(path("502.html"), ""),
    [`over ${MAX_PAGE_FILE} octets`]: () =>
      Deno.writeTextFile(path("502.html"), "x".repeat(MAX_PAGE_FILE + 1)),
    "not a regular file": async () => {
      await Deno.remove(path("502.html"));
      await Deno.symlink("/dev/zero", path("502.html"));
    },
  };
  for (const [reason, spoil] of Object.entries(broken)) {
    await spoil();
    await look(admin);
    assert.deepEqual(await said(admin.port), [502, "<p>two"], reason);
    const [refusal = ""] = admin.control.upkeep.refusals;
    assert.ok(refusal.startsWith(`error page ${path("502.html")}: `), refusal);
    assert.ok(refusal.includes(reason), refusal);
    // No other route may name it meanwhile; the one that is served keeps its words.
    const other = admin.client.addRoute({ ...route(admin.addr, page), hostname: "b.test" });
    await assert.rejects(other, /error_pages\[0\]\.file/, reason);
  }
  await Deno.remove(path("502.html"));
  await Deno.writeTextFile(path("502.html"), "y".repeat(MAX_PAGE_FILE));
  await look(admin);
  assert.deepEqual(
    await said(admin.port),
    [502, "y".repeat(MAX_PAGE_FILE)],
    "the largest there is",
  );
  assert.deepEqual(admin.control.upkeep.refusals, []);
});

Deno.test("what cannot be read is refused with its place: at a start, by add, update and apply", async () => {
  using folder = temporaryFolder();
  const { path, flags, route, backend } = await filesIn(folder.path, {
    "ok.html": "fine",
    "empty.html": "",
    "large.html": "x".repeat(MAX_PAGE_FILE + 1),
  });
  const toml = (addr: string, name: string) =>
    `[[listeners]]\naddr = "${addr}"\n[[listeners.routes]]\nhostname = "${HOST}"\nmode = "l7"\n` +
    `backend = "${backend}"\ntls_cert = "${path("a.pem")}"\ntls_key = "${path("a.key")}"\n` +
    `error_pages = [{ status = 502, body = "x" }, { status = 503, file = "${path(name)}" }]\n`;
  const start = loadConfig(
    `[database]\npath = "a.db"\n${toml(":443", "none.html")}` +
      `[[l7.error_pages]]\nstatus = 400\nfile = "${path("empty.html")}"\n` +
      `[[l7.error_pages]]\nstatus = 401\nfile = "${path("large.html")}"\n` +
      `[[l7.error_pages]]\nstatus = 403\nfile = "${path("ok.html")}"\n`,
  );
  assert.deepEqual(start.ok ? [] : start.problems.map(({ key, message }) => `${key}: ${message}`), [
    `listeners[0].routes[0].error_pages[1].file: "${path("none.html")}" does not exist`,
    `l7.error_pages[0].file: "${path("empty.html")}" is empty`,
    `l7.error_pages[1].file: "${path("large.html")}" is over ${MAX_PAGE_FILE} octets`,
  ]);

  await using admin = await startAdmin();
  const wrong = [["none.html", "does not exist"], ["empty.html", "is empty"], [
    "large.html",
    `over ${MAX_PAGE_FILE} octets`,
  ], ["", "directory"]] as const;
  for (const [name, reason] of wrong) {
    const page = { status: 503, file: path(name) };
    const added = admin.client.addRoute(route(admin.addr, page));
    await assert.rejects(added, new RegExp(`error_pages\\[0\\]\\.file: .*${reason}`));
  }
  const refused = await runCtl(admin, ["apply", "-f", "-"], toml(admin.addr, "none.html"));
  assert.equal(refused.code, 2, refused.stderr);
  const place = /:9:62: listeners\[0\]\.routes\[0\]\.error_pages\[1\]\.file: .*does not exist/;
  assert.match(refused.stderr, place);
  assert.equal((await runCtl(admin, ["apply", "-f", "-"], toml(admin.addr, "ok.html"))).code, 0);
  const page = { status: 502, file: path("empty.html") };
  const updated = await runCtl(admin, ["routes", "update", admin.addr, HOST, ...flags(page)]);
  assert.equal(updated.code, 1);
  assert.match(updated.stderr, /route\.error_pages\[0\]\.file: .*is empty/);
  assert.deepEqual(await said(admin.port), [502, "x"], "what was there stays");
  const same = await runCtl(admin, ["apply", "-f", "-", "--diff"], toml(admin.addr, "ok.html"));
  assert.equal(same.stdout, "no difference\n");
});

Deno.test("a page that is gone at a restart costs its words alone, until it is there again", async () => {
  using folder = temporaryFolder();
  const { path, route } = await filesIn(folder.path, { "502.html": "<p>sorry" });
  {
    await using admin = await startAdmin({ folder: folder.path });
    const page = { status: 502, file: path("502.html") };
    await admin.client.addRoute(route(admin.addr, page));
    assert.deepEqual(await said(admin.port), [502, "<p>sorry"]);
  }
  await Deno.remove(path("502.html"));
  await using admin = await startAdmin({ folder: folder.path });
  admin.expectedErrors.push("error page not usable, the proxy's own words are used");
  assert.deepEqual(await said(admin.port), PLAIN);
  assert.equal(admin.control.upkeep.refusals.length, 1);
  await Deno.writeTextFile(path("502.html"), "<p>again");
  await look(admin);
  assert.deepEqual(await said(admin.port), [502, "<p>again"]);
  assert.deepEqual(admin.control.upkeep.refusals, []);
});

Deno.test("every worker says what the file holds, and a broken file that is the truth changes nothing", async () => {
  const backend = `127.0.0.1:${await unusedPort()}`;
  const { certPem, keyPem } = await identity();
  const config = (folder: string, file: string) => ({
    state: { source: "file" },
    server: { workers: 2 },
    listeners: [{
      addr: "127.0.0.1:0",
      routes: [{
        ...{ hostname: HOST, backend, mode: "l7" },
        tls_cert: join(folder, "a.pem"),
        tls_key: join(folder, "a.key"),
        error_pages: [{ status: 502, file: join(folder, file) }],
      }],
    }],
  });
  await using proxy = await startProxy({
    files: { "a.pem": certPem, "a.key": keyPem, "502.html": "<p>one" },
    config: (folder) => config(folder, "502.html"),
  });
  const everywhere = async (body: string) => {
    // Which worker takes a connection is the kernel's choice.
    for (let i = 0; i < 8; i++) assert.deepEqual(await said(proxy.port()), [502, body]);
  };
  await everywhere("<p>one");
  const text = await Deno.readTextFile(join(proxy.folder, "mc-proxy.toml"));
  const reload = async (message: string) => {
    const before = proxy.events(message).length;
    Deno.kill(proxy.pid, "SIGHUP");
    await eventually(() => proxy.events(message).length > before, message);
  };
  await Deno.writeTextFile(join(proxy.folder, "502.html"), "<p>two");
  await reload("error page reloaded");
  await everywhere("<p>two");
  await Deno.writeTextFile(
    join(proxy.folder, "mc-proxy.toml"),
    text.replace("502.html", "none.html").replaceAll(backend, "127.0.0.1:1"),
  );
  await reload("the configuration file was not applied");
  const [refused] = proxy.events("the configuration file was not applied");
  assert.match(String(refused?.problems), /error_pages\[0\]\.file: ".*none\.html" does not exist/);
  await everywhere("<p>two");
});
