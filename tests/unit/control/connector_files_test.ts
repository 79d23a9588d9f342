import "reflect-metadata";
import assert from "node:assert/strict";
import { KeyUsageFlags } from "@peculiar/x509";
import { CertificateStore } from "../../../lib/certificates/mod.ts";
import { type ConnectorConfig, loadConfig } from "../../../lib/config/mod.ts";
import { ConnectorReloader } from "../../../lib/control/connector_reloader.ts";
import { type ConnectorFiles, readConnectorFiles } from "../../../lib/control/connector_files.ts";
import type { LogRecord } from "../../../lib/observe/mod.ts";
import type { ConnectorSnapshot } from "../../../lib/plane/mod.ts";
import {
  createAuthority,
  createServerIdentity,
  halfWritten,
  issueCertificate,
  issueRevocationList,
} from "../../support/certificates.ts";

const NOW = Date.now();
const first = await createAuthority({ commonName: "first" });
const second = await createAuthority({ commonName: "second" });
const server = await createServerIdentity("*.connect.test");
const renewed = await createServerIdentity("*.connect.test");
const alice = await issueCertificate(first, { usages: ["client"] });
const bob = await issueCertificate(second, { usages: ["client"] });

/** The connector's files in memory, and what was read of them last. */
class Files {
  readonly texts = new Map<string, string | Error>();
  readonly config: ConnectorConfig;
  files: ConnectorFiles | undefined;

  constructor(crls: readonly string[]) {
    const { config } = loadConfig(
      `[database]\npath = "a.db"\n[connector]\nca_certs = ["first.pem", "second.pem"]\n` +
        `server_cert = "server.pem"\nserver_key = "server.key"\ncrls = ${JSON.stringify(crls)}\n`,
      { readsFiles: false },
    ) as { config: { connector: ConnectorConfig } };
    this.config = config.connector;
    this.set({
      "first.pem": first.certPem,
      "second.pem": second.certPem,
      "server.pem": server.certPem,
      "server.key": server.keyPem,
    });
  }

  set(texts: Readonly<Record<string, string | Error>>): this {
    for (const [name, text] of Object.entries(texts)) this.texts.set(name, text);
    return this;
  }

  readonly readFile = (path: string): Promise<Uint8Array<ArrayBuffer>> => {
    const text = this.texts.get(path) ?? new Deno.errors.NotFound("no such file");
    return text instanceof Error
      ? Promise.reject(text)
      : Promise.resolve(new TextEncoder().encode(text));
  };

  readonly store = new CertificateStore({ readFile: this.readFile, now: () => NOW });

  async read(config = this.config): Promise<ConnectorFiles> {
    this.files = await readConnectorFiles(config, {
      nowMs: NOW,
      before: this.files,
      store: this.store,
    });
    return this.files;
  }
}

/** How many certificates each list names. */
function revoked({ snapshot }: ConnectorFiles): number[] {
  return [...snapshot.revocationLists.values()].map(({ serials }) => serials.size);
}

Deno.test("readConnectorFiles() takes an authority out although its list is still configured", async () => {
  const files = new Files(["first.crl", "second.crl"]).set({
    "first.crl": await issueRevocationList(first, [alice]),
    "second.crl": await issueRevocationList(second, [bob]),
  });
  assert.deepEqual(revoked(await files.read()), [1, 1]);
  // In its file there is another one now.
  files.set({ "first.pem": second.certPem });
  const after = await files.read();
  assert.deepEqual(after.snapshot.authorities, [second.certPem, second.certPem]);
  assert.deepEqual(after.refused, []);
  assert.deepEqual(after.warnings, [
    "first.crl: ignored: its issuer is not among the authorities",
  ]);
  assert.deepEqual(revoked(after), [1]);
});

Deno.test("readConnectorFiles() applies a removal whatever else is broken, and refuses that", async () => {
  const files = new Files(["first.crl", "second.crl"]).set({
    "first.crl": await issueRevocationList(first, []),
    "second.crl": await issueRevocationList(second, [bob]),
  });
  const before = await files.read();
  files.set({
    "first.pem": second.certPem,
    "second.pem": halfWritten(second.certPem),
    "second.crl": "rubbish",
    "server.pem": renewed.certPem,
  });
  const after = await files.read();
  assert.deepEqual(after.snapshot.authorities, [second.certPem, second.certPem]);
  assert.deepEqual(revoked(after), [1], "what was revoked stays so");
  assert.equal(after.snapshot.certPem, server.certPem);
  assert.deepEqual(after.refused.map((text) => text.split(":")[0]).sort(), [
    "second.crl",
    "second.pem",
    "server.pem",
  ]);
  assert.notEqual(after.snapshot, before.snapshot);

  files.set({
    "second.pem": second.certPem,
    "second.crl": await issueRevocationList(second, []),
    "server.key": renewed.keyPem,
  });
  const mended = await files.read();
  assert.deepEqual(mended.refused, []);
  assert.deepEqual(revoked(mended), [0]);
  assert.equal(mended.snapshot.certPem, renewed.certPem);
});

Deno.test("readConnectorFiles() does not tell what a broken key holds", async () => {
  const files = new Files([]);
  await files.read();
  files.set({ "server.key": `${server.keyPem.slice(0, 80)}SECRET` });
  const { refused } = await files.read();
  assert.equal(refused.length, 1);
  assert.doesNotMatch(refused.join(), /SECRET|BEGIN/);
});

for (const [how, text] of [["emptied", "\n"], ["gone", new Deno.errors.NotFound()]] as const) {
  Deno.test(`readConnectorFiles() removes the authorities of a file that is ${how} for two looks`, async () => {
    const files = new Files([]);
    await files.read();
    files.set({ "first.pem": text });
    const once = await files.read();
    assert.deepEqual(once.snapshot.authorities, [first.certPem, second.certPem]);
    assert.deepEqual(once.refused, ["first.pem: is empty or gone"]);
    const twice = await files.read();
    assert.deepEqual(twice.snapshot.authorities, [second.certPem]);
    assert.deepEqual(twice.refused, []);
    assert.equal(twice.warnings.length, 1);
    // And again: it stays away.
    assert.deepEqual((await files.read()).snapshot.authorities, [second.certPem]);
    files.set({ "first.pem": first.certPem });
    assert.deepEqual((await files.read()).snapshot.authorities, [first.certPem, second.certPem]);
    files.set({ "first.pem": text });
    assert.equal((await files.read()).snapshot.authorities.length, 2, "counted anew");
  });
}

Deno.test("readConnectorFiles() keeps the authorities of a file that cannot be used", async () => {
  const files = new Files([]);
  await files.read();
  const broken = [
    new Deno.errors.PermissionDenied("no"),
    "half a certifi",
    "-----BEGIN CERTIFICATE-----\nMIIB",
    second.certPem + halfWritten(first.certPem),
    "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
  ];
  for (const text of [...broken, ...broken]) {
    files.set({ "first.pem": text });
    const { snapshot, refused } = await files.read();
    assert.deepEqual(snapshot.authorities, [first.certPem, second.certPem]);
    assert.equal(refused.length, 1);
  }
});

Deno.test("readConnectorFiles() keeps what an issuer's old list revoked when no list of it holds", async () => {
  const files = new Files(["first.crl"]).set({
    "first.crl": await issueRevocationList(first, [alice]),
  });
  await files.read();
  const namesake = await createAuthority({ commonName: "first" });
  files.set({ "first.pem": namesake.certPem });
  const after = await files.read();
  assert.match(after.refused.join(), /^first\.crl: no authority of that name signed it/);
  assert.deepEqual(revoked(after), [1]);
});

Deno.test("readConnectorFiles() takes the names of a new configuration", async () => {
  const files = new Files([]);
  await files.read();
  files.set({ "new.crl": await issueRevocationList(first, [alice]) });
  const named = await files.read({ ...files.config, crls: ["new.crl"], caCerts: ["first.pem"] });
  assert.deepEqual(revoked(named), [1]);
  assert.deepEqual(named.snapshot.authorities, [first.certPem]);
  assert.deepEqual(named.refused, []);
});

Deno.test("readConnectorFiles() starts with nothing that is broken, and warns of unfit authorities", async () => {
  for (const name of ["first.pem", "server.pem", "server.key", "some.crl"]) {
    const files = new Files(["some.crl"]).set({
      "some.crl": await issueRevocationList(first, []),
      [name]: "",
    });
    await assert.rejects(files.read(), { code: "connector_files" });
  }
  const expired = await createAuthority({
    commonName: "expired",
    notBefore: new Date(NOW - 7200_000),
    notAfter: new Date(NOW - 3600_000),
  });
  const lists = await createAuthority({ commonName: "lists", keyUsages: KeyUsageFlags.cRLSign });
  const unfit = [expired, lists, alice].map(({ certPem }) => certPem).join("");
  const files = new Files([]).set({ "second.pem": first.certPem + unfit });
  const { warnings } = await files.read();
  assert.match(warnings[0] ?? "", /^second\.pem: certificate 2 expired at /);
  assert.deepEqual(warnings.slice(1), [
    "second.pem: certificate 3 may not sign certificates (KeyUsage)",
    "second.pem: certificate 4 is not of an authority",
  ]);
});

Deno.test("ConnectorReloader hands what the plane refused over again, until it is taken", async () => {
  const files = new Files([]);
  const config = files.config;
  const applied: ConnectorSnapshot[] = [];
  let refuses = false;
  const logs: LogRecord[] = [];
  const reloader = new ConnectorReloader({
    config,
    files: await files.read(),
    store: files.store,
    now: () => NOW,
    log: (record) => void logs.push(record),
    apply: (snapshot) => {
      if (refuses) return Promise.reject(new Error("a worker is late"));
      applied.push(snapshot);
      return Promise.resolve();
    },
  });
  await reloader.reload();
  assert.equal(applied.length, 0, "nothing has changed");
  files.set({ "server.pem": renewed.certPem, "server.key": renewed.keyPem });
  refuses = true;
  await reloader.reload();
  await reloader.reload();
  assert.deepEqual(reloader.refused, ["a worker is late"]);
  assert.equal(logs.filter(({ level }) => level === "error").length, 1, "told of once");
  refuses = false;
  await reloader.reload();
  assert.deepEqual(applied.map(({ certPem }) => certPem), [renewed.certPem]);
  assert.deepEqual(reloader.refused, []);
  await reloader.reload();
  assert.equal(applied.length, 1);
});
