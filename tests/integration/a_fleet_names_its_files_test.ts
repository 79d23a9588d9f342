/**
 * Files that a group knows by a name, and each proxy has elsewhere.
 */
import assert from "node:assert/strict";
import { AdminServer } from "../../lib/admin/mod.ts";
import { Reloader } from "../../lib/cli/reloader.ts";
import { ServiceManager } from "../../lib/service/mod.ts";
import type { NamedFile } from "../../lib/state/mod.ts";
import { shareKey } from "../support/acme_fleet.ts";
import { createAuthority, issueCertificate } from "../support/certificates.ts";
import { eventually } from "../support/deadline.ts";
import {
  createFleet,
  type FleetMember,
  inStep,
  plainRoute,
  startMember,
} from "../support/fleet.ts";
import { runCtl } from "../support/mcproxyctl.ts";
import { unusedPorts } from "../support/ports.ts";
import { postgresTest, startPostgres, type TestPostgres } from "../support/postgres.ts";
import { certificateOf } from "../support/server_certificate.ts";
import { temporaryFolder } from "../support/temporary_folder.ts";

const ROLES = ["p1", "p2", "p3", "p4", "p5"];

postgresTest(
  "proxies of a fleet have the files that it names where each of them says",
  async () => {
    await using server = await startPostgres();
    await createFleet(server, { edge: ROLES, shared: ["s1", "s2"] });
    using folder = temporaryFolder();
    await using stack = new AsyncDisposableStack();
    const authority = await createAuthority({ commonName: "of a test" });
    const ports = await unusedPorts(ROLES.length);
    const members: FleetMember[] = [];
    // Each has another certificate, at another path; the last one has none.
    for (const [i, role] of ROLES.entries()) {
      const path = `${folder.path}/${role}`;
      await Deno.mkdir(path);
      const dnsNames = ["a.example", `at-${role}.example`];
      const { certPem, keyPem } = await issueCertificate(authority, {
        dnsNames,
        usages: ["server"],
      });
      await Deno.writeTextFile(`${path}/of-${role}.pem`, certPem);
      await Deno.writeTextFile(`${path}/of-${role}.key`, keyPem);
      await Deno.writeTextFile(`${path}/sorry.html`, `of ${role}`);
      const files = {
        "site-cert": `${path}/of-${role}.pem`,
        "site-key": `${path}/of-${role}.key`,
        sorry: `${path}/sorry.html`,
      };
      const port = ports[i] ?? 0;
      const places = role === "p5" ? {} : { files };
      members.push(stack.use(await startMember(server, { role, folder: path, port, ...places })));
    }
    const [first, , , , last] = members as [
      FleetMember,
      FleetMember,
      FleetMember,
      FleetMember,
      FleetMember,
    ];
    await using admin = await startAdminOf(first, folder.path);
    const ctl = (...args: string[]) => runCtl(admin, args);
    const added = await ctl(
      ...["routes", "add", first.addr, "a.example", "127.0.0.1:9", "--mode", "l7"],
      ...["--tls-cert", "file:site-cert", "--tls-key", "file:site-key"],
      ...["--error-pages", "status=502,file=file:sorry"],
    );
    assert.equal(added.code, 0, added.stderr);
    const plain = await ctl("routes", "add", first.addr, "plain.example", "127.0.0.1:1");
    assert.equal(plain.code, 0, plain.stderr);
    await inStep(members, first.revision);

    // Each serves its own.
    for (const [i, role] of ROLES.slice(0, 4).entries()) {
      const names = await certificateOf(ports[i] ?? 0, "a.example", authority.certPem);
      assert.match(names, new RegExp(`at-${role}\\.example`));
    }
    // Whoever has none refuses that route, says so, and has all the rest.
    await assert.rejects(certificateOf(ports[4] ?? 0, "a.example", authority.certPem));
    assert.ok(last.served().includes("plain.example"));
    const why = 'state.local.files does not say where the file "site-cert" is here';
    const said = last.logs.find(({ message }) => /certificate not usable/.test(message));
    assert.equal(said?.fields?.reason, why);
    assert.equal(said?.fields?.certificate, "file:site-cert");
    const listed = async () => (await ctl("fleet", "list")).stdout;
    await eventually(async () => (await listed()).includes(why), "the fleet's list says so");
    assert.match(await listed(), /^p4 .*serving/m);
    assert.match(await listed(), /^p5 .*certificate file:site-cert: .*error page file:sorry: /m);

    // The state speaks of names, wherever it is shown.
    const exported = await ctl("export");
    assert.match(exported.stdout, /tls_cert = "file:site-cert"\n/);
    assert.match(exported.stdout, /file = "file:sorry"/);
    const same = await runCtl(admin, ["apply", "-f", "-", "--diff"], exported.stdout);
    assert.equal(same.code, 0, same.stderr);
    assert.match((await ctl("certificates", "list")).stdout, /file:site-cert/);
    const explained = await ctl("explain", "127.0.0.1", first.addr, "a.example");
    assert.match(explained.stdout, /file:site-cert: is \S+\/of-p1\.pem here/);
    assert.equal(new Set(members.map((member) => member.content())).size, 1);
    assert.match(last.content(), /file:site-key/);

    // A name that the proxy which is asked has no place for is refused as a file that is not there.
    await using other = await startAdminOf(last, `${folder.path}/p5`);
    const refused = await runCtl(other, [
      ...["routes", "add", last.addr, "b.example", "127.0.0.1:9", "--mode", "l7"],
      ...["--tls-cert", "file:site-cert", "--tls-key", "file:site-key"],
    ]);
    assert.notEqual(refused.code, 0);
    assert.match(refused.stderr, /tls_cert.*state\.local\.files does not say where/);
    const path = await ctl(
      ...["routes", "update", first.addr, "a.example", "--tls-cert", "file:/etc/a.pem"],
    );
    assert.match(path.stderr, /after "file:" comes the name of a file, no path/);

    // It is given its place, without a restart.
    const places = ["cert", "key"].map((what) => ({
      name: `site-${what}`,
      path: `${folder.path}/p5/of-p5.${what === "cert" ? "pem" : "key"}`,
    }));
    const files = [...places, { name: "sorry", path: `${folder.path}/p5/sorry.html` }];
    const { answer } = await reload(last, files);
    assert.deepEqual([answer.restartNeeded, answer.refusals], [[], []]);
    const names = await certificateOf(ports[4] ?? 0, "a.example", authority.certPem);
    assert.match(names, /at-p5\.example/);
    await eventually(async () => /^p5 .*serving/m.test(await listed()), "it is well");
    await shareFiles(server, folder.path);
  },
);

/** A proxy without files serves with those of one that has them, where the group shares them. */
async function shareFiles(server: TestPostgres, folder: string): Promise<void> {
  const [port = 0, other = 0] = await unusedPorts(2);
  const authority = await createAuthority({ commonName: "of all" });
  const keyFile = `${folder}/share.key`;
  await Deno.writeTextFile(keyFile, shareKey(), { mode: 0o600 });
  const issue = async (path: string, more: string) => {
    const dnsNames = ["s.example", more];
    const { certPem, keyPem } = await issueCertificate(authority, { dnsNames, usages: ["server"] });
    await Deno.writeTextFile(`${path}/a.pem`, certPem);
    await Deno.writeTextFile(`${path}/a.key`, keyPem);
  };
  const start = async (role: string, at: number, files: Record<string, string>) => {
    await Deno.mkdir(`${folder}/${role}`);
    const sharing = `share_certificates = true\nshare_key_file = "${keyFile}"`;
    const member = { role, group: "shared", folder: `${folder}/${role}`, port: at, sharing, files };
    return await startMember(server, member);
  };
  await issue(folder, "from-s1.example");
  const files = { cert: `${folder}/a.pem`, key: `${folder}/a.key` };
  await using first = await start("s1", port, files);
  await using second = await start("s2", other, {});
  const route = {
    ...plainRoute("s.example"),
    ...{ mode: "l7", tlsCert: "file:cert", tlsKey: "file:key" } as const,
  };
  await first.control.routing.addRoute(first.addr, route, { actor: "test", action: "AddRoute" });
  await first.control.upkeep.lookAtCertificates();
  const served = () => certificateOf(other, "s.example", authority.certPem).catch(() => "");
  await eventually(async () => /from-s1/.test(await served()), "it is served without a file");
  assert.deepEqual(second.control.upkeep.refusals, []);
  // A file of its own is better than the group's, and the group's stays what it was at the others.
  await issue(`${folder}/s2`, "from-s2.example");
  second.control.files.place([
    { name: "cert", path: `${folder}/s2/a.pem` },
    { name: "key", path: `${folder}/s2/a.key` },
  ]);
  await second.control.upkeep.lookAtCertificates();
  await eventually(async () => /from-s2/.test(await served()), "it uses its own");
  const own = () => certificateOf(port, "s.example", authority.certPem);
  assert.match(await own(), /from-s1/);
}

/** Reads the configuration again, of which the places of files have changed. */
async function reload({ control, config }: FleetMember, files: readonly NamedFile[]) {
  const { local } = config.state;
  assert.ok(local !== undefined);
  const changed = { ...config, state: { ...config.state, local: { ...local, files } } };
  const reloader = new Reloader({
    ...{ config, control, drift: undefined, onReloaded: () => {}, log: () => {} },
    file: { path: "a.toml", load: () => ({ config: changed, text: "", warnings: [], state: {} }) },
    rereadConfig: () => changed,
    manager: new ServiceManager({}, () => {}),
  });
  return { answer: await reloader.reload({ dryRun: false, close: false }) };
}

/** The admin API of a member. */
async function startAdminOf({ control, logs }: FleetMember, folder: string) {
  const server = await AdminServer.start({
    ...{ control, socketPath: `${folder}/admin.sock`, version: "0.0.0-test" },
    log: (record) => logs.push(record),
  });
  return { socketPath: server.path, [Symbol.asyncDispose]: () => server.close() };
}
