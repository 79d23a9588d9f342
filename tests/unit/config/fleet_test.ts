import assert from "node:assert/strict";
import { changedSettings, loadConfig } from "../../../lib/config/mod.ts";
import { createServerIdentity } from "../../support/certificates.ts";

const { certPem, keyPem } = await createServerIdentity("a.example");
const FILES: Readonly<Record<string, string>> = { "/here/a.pem": certPem, "/here/a.key": keyPem };

function load(local: string, { source = "postgres", cert = "file:cert" } = {}) {
  const text = `
    database.path = "/a.db"
    [state]
    source = "${source}"
    [state.postgres]
    user = "p1"
    group = "edge"
    tls = false
    [state.local]
    name = "p1"
    ${local}
    [[listeners]]
    addr = "127.0.0.1:8443"
    [[listeners.routes]]
    hostname = "a.example"
    backend = "127.0.0.1:1"
    mode = "l7"
    tls_cert = "${cert}"
    tls_key = "file:key"
    error_pages = [{ status = 502, file = "file:cert" }]
  `;
  return loadConfig(text, {
    readFile: (path) => {
      const found = FILES[path];
      if (found === undefined) throw Object.assign(new Error(path), { code: "ENOENT" });
      return new TextEncoder().encode(found);
    },
  });
}

function problemsOf(...args: Parameters<typeof load>): string[] {
  const result = load(...args);
  return result.ok ? [] : result.problems.map(({ key, message }) => `${key} ${message}`);
}

const PLACES = 'files = { cert = "/here/a.pem", key = "/here/a.key" }';

Deno.test("files of the group are read where [state.local] says that they are", () => {
  const result = load(PLACES);
  assert.ok(result.ok, JSON.stringify(result));
  assert.deepEqual(result.config.state.local?.files, [
    { name: "cert", path: "/here/a.pem" },
    { name: "key", path: "/here/a.key" },
  ]);
  assert.equal(result.config.listeners[0]?.routes[0]?.tlsCert, "file:cert");
  assert.deepEqual(result.warnings, []);
});

Deno.test("a file without a place is a problem of the route that names it", () => {
  const [first = "", second = ""] = problemsOf('files = { key = "/here/a.key" }');
  assert.match(first, /tls_cert "file:cert": state\.local\.files does not say where .*"cert" is/);
  assert.match(second, /error_pages\[0\]\.file "file:cert": state\.local\.files does not say/);
});

Deno.test("a place without a file is a problem with its path, and of [state.local] a warning", () => {
  const [first = ""] = problemsOf('files = { cert = "/gone.pem", key = "/here/a.key" }');
  assert.match(first, /"file:cert" does not exist; it was looked for at "\/gone\.pem"/);
  const odd = load(`files = { cert = "/here/a.pem", key = "/here/a.key", other = "/gone" }`);
  assert.ok(odd.ok);
  const warnings = odd.warnings.map(({ key, message }) => `${key} ${message}`);
  assert.deepEqual(warnings, ['state.local.files.other "/gone" does not exist']);
});

Deno.test("names of files are names, and mean nothing outside of a group", () => {
  const [name = ""] = problemsOf('files = { "../x" = "/here/a.pem" }');
  assert.match(name, /state\.local\.files\."\.\.\/x" "\.\.\/x" is invalid: it is not of 1 to 63/);
  assert.match(problemsOf('files = "x"')[0] ?? "", /is not a table of names and paths/);
  assert.match(problemsOf("files = { cert = 1 }")[0] ?? "", /state\.local\.files\.cert/);
  assert.match(problemsOf(PLACES, { cert: "file:/here/a.pem" })[0] ?? "", /no path/);
  const alone = problemsOf(PLACES, { source: "database" });
  assert.match(alone[0] ?? "", /tls_cert "file:cert": state\.local\.files does not say/);
});

Deno.test("share_certificates needs a key that is its owner's alone", () => {
  const key = new Uint8Array(32).map((_, i) => i).toBase64();
  const read = (sharing: string, { text = key, mode = 0o100600 } = {}) => {
    const result = loadConfig(
      `database.path = "/a.db"
      [state]\nsource = "postgres"
      [state.postgres]\nuser = "p1"\ngroup = "edge"\ntls = false\n${sharing}
      [state.local]\nname = "p1"`,
      { readFile: () => new TextEncoder().encode(text), readMode: () => mode },
    );
    return (result.ok ? result.warnings : result.problems).map((it) => `${it.key} ${it.message}`);
  };
  const both = 'share_certificates = true\nshare_key_file = "/k"';
  assert.deepEqual(read(both), []);
  assert.deepEqual(read(both, { text: `${key}\n${key.replace("A", "B")}\n` }), []);
  assert.deepEqual(read(both, { mode: 0o100400 }), []);
  assert.match(read("share_certificates = true")[0] ?? "", /share_key_file is missing/);
  assert.match(read('share_key_file = "/k"')[0] ?? "", /ignored without share_certificates/);
  for (const mode of [0o100640, 0o100604, 0o100660, 0o100610, 0o100601]) {
    const octal = (mode & 0o777).toString(8);
    assert.match(
      read(both, { mode })[0] ?? "",
      new RegExp(`alone \\(mode 0${octal}\\): chmod 600`),
    );
  }
  const [bad = ""] = read(both, { text: "not a key at all" });
  assert.match(bad, /line 1 is not 32 octets in base64/);
  assert.doesNotMatch(bad, /not a key/);
});

Deno.test("other places of files need no restart, another name of the proxy does", () => {
  const [before, moved] = [load(PLACES), load(`${PLACES.slice(0, -2)}, more = "/here/a.key" }`)];
  assert.ok(before.ok && moved.ok);
  assert.deepEqual(changedSettings(before.config, moved.config), []);
  const named = load(`${PLACES}\n    max_lag = "5s"`);
  assert.ok(named.ok);
  assert.deepEqual(changedSettings(before.config, named.config), ["state.local"]);
});
