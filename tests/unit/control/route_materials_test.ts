import assert from "node:assert/strict";
import { join } from "node:path";
import { CertificateStore } from "../../../lib/certificates/mod.ts";
import { compareTls, RouteMaterials } from "../../../lib/control/route_materials.ts";
import type { LogRecord } from "../../../lib/observe/mod.ts";
import type { Route } from "../../../lib/state/mod.ts";
import { createServerIdentity } from "../../support/certificates.ts";
import { temporaryFolder } from "../../support/temporary_folder.ts";

/** A store, the files of one l7 route, and what was logged. */
async function setUp(folder: string) {
  const path = (name: string) => join(folder, name);
  const write = async (files: Record<string, string>) => {
    for (const [name, text] of Object.entries(files)) await Deno.writeTextFile(path(name), text);
  };
  const { certPem, keyPem, ca } = await createServerIdentity("a.example");
  await write({ "a.pem": certPem, "a.key": keyPem, "ca.pem": ca });
  const route: Route = {
    id: 1,
    hostname: "a.example",
    backend: "10.0.0.1:443",
    mode: "l7",
    tlsCert: path("a.pem"),
    tlsKey: path("a.key"),
    backendTls: true,
    sendProxyProtocol: false,
    backendTlsVerify: true,
    backendCa: path("ca.pem"),
  };
  const logs: LogRecord[] = [];
  const reads: string[] = [];
  const certificates = new CertificateStore({
    readFile: (path) => {
      reads.push(path);
      return Deno.readFile(path);
    },
    readStamp: async (path) => String((await Deno.stat(path)).mtime?.getTime()),
    now: Date.now,
  });
  const store = new RouteMaterials({ store: certificates, log: (record) => logs.push(record) });
  /** As if the file had been written anew, whatever the clock's resolution. */
  let seconds = 1_000_000_000;
  const touch = (name: string) => Deno.utime(path(name), ++seconds, seconds);
  return { store, route, logs, reads, write, touch, path };
}

Deno.test("RouteMaterials takes a touched file for what it was, however often it looks", async () => {
  using folder = temporaryFolder();
  const { store, route, logs, touch } = await setUp(folder.path);
  const first = await store.load([route]);
  for (const name of ["a.pem", "a.key", "ca.pem", "a.pem"]) {
    await touch(name);
    // The second look is the one that used to take the file for another.
    for (const next of [await store.load([route]), await store.load([route])]) {
      assert.equal(compareTls(first, next), undefined, name);
    }
  }
  assert.deepEqual(logs, []);
});

Deno.test("RouteMaterials reads no file that cannot have changed", async () => {
  using folder = temporaryFolder();
  const { store, route, reads, touch } = await setUp(folder.path);
  await store.load([route]);
  reads.length = 0;
  await store.load([route]);
  assert.deepEqual(reads, []);
  await touch("a.key");
  await store.load([route]);
  assert.deepEqual(reads, [route.tlsKey]);
});

Deno.test("RouteMaterials keeps a pair and a backend's authorities apart: one broken file costs the other nothing", async () => {
  using folder = temporaryFolder();
  const { store, route, logs, write, touch } = await setUp(folder.path);
  const [first] = await store.load([route]);
  for (const text of ["", "rubbish", "-----BEGIN CERTIFICATE-----\nMIIB"]) {
    await write({ "ca.pem": text });
    await touch("ca.pem");
    const [next] = await store.load([route]);
    assert.equal(next, first, "what was trusted is in use, never the system's authorities");
    assert.equal(store.refusals([{ routes: [route] }]).length, 1);
  }
  const renewed = await createServerIdentity("a.example");
  await write({ "a.pem": renewed.certPem, "a.key": renewed.keyPem });
  await touch("a.pem");
  await touch("a.key");
  const [after] = await store.load([route]);
  assert.equal(after?.certPem, renewed.certPem);
  assert.equal(after?.backendCaPem, first?.backendCaPem);
  assert.ok(logs.every(({ level }) => level === "error"), "each break is told of");
});

Deno.test("RouteMaterials serves no route whose backend's authorities were never usable", async () => {
  using folder = temporaryFolder();
  const { store, route, logs, write } = await setUp(folder.path);
  await write({ "ca.pem": "rubbish" });
  assert.deepEqual(await store.load([route]), []);
  assert.match(logs[0]?.message ?? "", /not usable, connections to the route are refused/);
});

Deno.test("RouteMaterials takes up authorities of the backend that were replaced", async () => {
  using folder = temporaryFolder();
  const { store, route, logs, write, touch } = await setUp(folder.path);
  const first = await store.load([route]);
  const { ca } = await createServerIdentity("b.example");
  await write({ "ca.pem": ca });
  await touch("ca.pem");
  const second = await store.load([route]);
  assert.equal(second[0]?.backendCaPem, ca);
  assert.deepEqual(compareTls(first, second), { kind: "tls", set: second, remove: [] });
  assert.deepEqual(logs.map(({ message }) => message), ["certificate reloaded"]);
});
