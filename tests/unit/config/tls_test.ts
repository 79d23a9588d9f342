import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { formatProblem, loadConfig } from "../../../lib/config/mod.ts";
import { checkTlsPair } from "../../../lib/certificates/mod.ts";
import {
  createAuthority,
  halfWritten,
  issueCertificate,
  issueExpired,
  issueMismatchedPair,
  issueNotYetValid,
} from "../../support/certificates.ts";

const authority = await createAuthority({ commonName: "root" });
const dnsNames = ["a.example", "*.wild.example"];
const good = await issueCertificate(authority, { dnsNames, usages: ["server"] });
const mismatched = await issueMismatchedPair(authority, { dnsNames, usages: ["server"] });

/** What {@link checkTlsPair} says, as one text. */
function verdictOf(certPem: string, keyPem: string): string {
  const check = checkTlsPair(certPem, keyPem);
  return check.ok ? "ok" : check.faults.map(({ part, reason }) => `${part} ${reason}`).join("; ");
}

/** As `openssl ecparam -genkey` writes it. */
const EC_PARAMETERS =
  "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n";
const NO_CERTIFICATE = "certificate is missing: the file is not PEM with a certificate";
const NO_KEY = "key is missing: the file is not PEM with a private key";

Deno.test.each([
  ["a pair", good.certPem, good.keyPem, "ok"],
  ["a chain", good.certPem + authority.certPem, good.keyPem, "ok"],
  ["text around the blocks", `subject=x\n${good.certPem}`, `\n${good.keyPem}\n`, "ok"],
  ["CRLF", good.certPem.replaceAll("\n", "\r\n"), good.keyPem.replaceAll("\n", "\r\n"), "ok"],
  ["OpenSSL's EC parameters before the key", good.certPem, EC_PARAMETERS + good.keyPem, "ok"],
  ["both in one file", good.certPem + good.keyPem, good.certPem + good.keyPem, "ok"],
  [
    "another key",
    mismatched.certPem,
    mismatched.keyPem,
    "key does not belong to the certificate",
  ],
  [
    "a chain the wrong way round",
    authority.certPem + good.certPem,
    good.keyPem,
    "key belongs to a later certificate of the chain; the server's own must come first",
  ],
  [
    "swapped files",
    good.keyPem,
    good.certPem,
    "certificate is missing: the file holds a private key; " +
    "key is missing: the file holds a certificate",
  ],
  ["empty files", "", "", `${NO_CERTIFICATE}; ${NO_KEY}`],
  [
    "half-written files",
    halfWritten(good.certPem),
    halfWritten(good.keyPem),
    "certificate is cut off; key does not parse",
  ],
  [
    "a chain cut off in its second certificate",
    good.certPem + halfWritten(authority.certPem),
    good.keyPem,
    "certificate is cut off",
  ],
  [
    "a certificate that is no DER",
    "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    good.keyPem,
    "certificate does not parse (number 1 of the file)",
  ],
])("checkTlsPair() judges %s", (_what, certPem, keyPem, want) => {
  assert.equal(verdictOf(certPem, keyPem), want);
});

Deno.test("checkTlsPair() refuses encrypted keys, old and new form", () => {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const pkcs8 = privateKey.export({
    type: "pkcs8",
    format: "pem",
    cipher: "aes-256-cbc",
    passphrase: "secret",
  });
  const legacy = "-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n" +
    "DEK-Info: AES-128-CBC,00\n\nAAAA\n-----END EC PRIVATE KEY-----\n";
  for (const key of [String(pkcs8), legacy]) {
    assert.equal(
      verdictOf(good.certPem, key),
      "key is encrypted, and there is nobody to type its password",
    );
  }
});

const encode = (text: string) => new TextEncoder().encode(text);

/** Loads one route; the files are the given ones. The route's settings start in line 6. */
function loadRoute(route: string, files: Record<string, string | Error> = {}) {
  const text = `database.path = "/a.db"\n[[listeners]]\naddr = ":443"\n[[listeners.routes]]\n` +
    `backend = "10.0.0.1:443"\n${route}`;
  const reads: string[] = [];
  const readFile = (path: string) => {
    reads.push(path);
    const content = files[path] ?? Object.assign(new Error(), { code: "ENOENT" });
    if (content instanceof Error) throw content;
    return encode(content);
  };
  const result = loadConfig(text, { readFile });
  const lines = (result.ok ? result.warnings : result.problems)
    .map((problem) => formatProblem("", problem).slice(1).replace("listeners[0].routes[0].", ""));
  return { ok: result.ok, lines, reads };
}

const L7 = 'hostname = "a.example"\nmode = "l7"\ntls_cert = "/c"\ntls_key = "/k"\n';
const fails = (code: string) => Object.assign(new Error("secret"), { code });

Deno.test("loadConfig() takes an l7 route with a pair", () => {
  const files = { "/c": good.certPem, "/k": good.keyPem };
  assert.deepEqual(loadRoute(L7, files), { ok: true, lines: [], reads: ["/c", "/k"] });
});

Deno.test("loadConfig() wants both files for l7", () => {
  const { ok, lines } = loadRoute('hostname = "a.example"\nmode = "l7"');
  assert.equal(ok, false);
  assert.deepEqual(lines, [
    '4:13: tls_cert: is missing: mode = "l7" needs it',
    '4:13: tls_key: is missing: mode = "l7" needs it',
  ]);
});

Deno.test.each([
  ["ENOENT", "does not exist"],
  ["ENOTDIR", "does not exist"],
  ["EISDIR", "is a directory"],
  ["EACCES", "may not be read by this user (EACCES)"],
  ["EIO", "cannot be read (EIO)"],
])("loadConfig() explains %s of a certificate and a key", (code, reason) => {
  assert.deepEqual(loadRoute(L7, { "/c": fails(code), "/k": fails(code) }).lines, [
    `8:1: tls_cert: "/c" ${reason}`,
    `9:1: tls_key: "/k" ${reason}`,
  ]);
});

Deno.test("loadConfig() explains a missing permission of the program", () => {
  const files = { "/c": new Deno.errors.NotCapable("x"), "/k": good.keyPem };
  assert.deepEqual(loadRoute(L7, files).lines, [
    '8:1: tls_cert: "/c" may not be read by this program (--allow-read)',
  ]);
});

Deno.test("loadConfig() reports a pair that does not belong together at the key", () => {
  const files = { "/c": mismatched.certPem, "/k": mismatched.keyPem };
  assert.deepEqual(loadRoute(L7, files), {
    ok: false,
    lines: ['9:1: tls_key: "/k": the key does not belong to the certificate'],
    reads: ["/c", "/k"],
  });
});

Deno.test("loadConfig() reports every broken half", () => {
  assert.deepEqual(loadRoute(L7, { "/c": "x", "/k": "y" }).lines, [
    '8:1: tls_cert: "/c": the certificate is missing: the file is not PEM with a certificate',
    '9:1: tls_key: "/k": the key is missing: the file is not PEM with a private key',
  ]);
});

Deno.test("loadConfig() only warns of certificates outside their time", async () => {
  const expired = await issueExpired(authority, { dnsNames, usages: ["server"] });
  const early = await issueNotYetValid(authority, { dnsNames, usages: ["server"] });
  const expiry = expired.cert.notAfter.toISOString();
  const start = early.cert.notBefore.toISOString();
  assert.deepEqual(loadRoute(L7, { "/c": expired.certPem, "/k": expired.keyPem }), {
    ok: true,
    lines: [`8:1: tls_cert: "/c": expired at ${expiry}`],
    reads: ["/c", "/k"],
  });
  assert.deepEqual(loadRoute(L7, { "/c": early.certPem, "/k": early.keyPem }), {
    ok: true,
    lines: [`8:1: tls_cert: "/c": not valid before ${start}`],
    reads: ["/c", "/k"],
  });
});

Deno.test.each([
  ["a.example", true],
  ["b.wild.example", true],
  ["*.wild.example", true],
  ["wild.example", false],
  ["c.b.wild.example", false],
  ["b.example", false],
  ["*.a.example", false],
])("loadConfig() compares the certificate with the hostname %s", (hostname, covered) => {
  const route = L7.replace("a.example", hostname);
  const { ok, lines } = loadRoute(route, { "/c": good.certPem, "/k": good.keyPem });
  assert.equal(ok, true);
  const warning = `8:1: tls_cert: "/c": the certificate is not for "${hostname}"`;
  assert.deepEqual(lines, covered ? [] : [warning]);
});

Deno.test("loadConfig() reads no file for l4", () => {
  const { ok, reads } = loadRoute(L7.replace("l7", "l4"));
  assert.deepEqual({ ok, reads }, { ok: true, reads: [] });
});

Deno.test("loadConfig() checks an mtls route's certificate only when it has one", () => {
  const bare = loadRoute('hostname = "a.example"\nmode = "mtls"');
  assert.deepEqual({ ok: bare.ok, reads: bare.reads }, { ok: true, reads: [] });
  const half = loadRoute('hostname = "a.example"\nmode = "mtls"\ntls_key = "/k"', { "/k": "x" });
  assert.deepEqual(half.lines, ["4:13: tls_cert: is missing: the other half is given"]);
  const wrong = loadRoute(L7.replace("l7", "mtls"), {
    "/c": mismatched.certPem,
    "/k": mismatched.keyPem,
  });
  assert.deepEqual(wrong.lines, [
    '9:1: tls_key: "/k": the key does not belong to the certificate',
  ]);
});

Deno.test("loadConfig() reads a file that many routes share once", () => {
  const { reads } = loadRoute(
    `${L7}[[listeners.routes]]\nbackend = "10.0.0.1:443"\n${L7.replace("a.example", "b.example")}`,
    { "/c": good.certPem, "/k": good.keyPem },
  );
  assert.deepEqual(reads, ["/c", "/k"]);
});

Deno.test("loadConfig() reads from the file system by default", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/c.pem`, good.certPem);
    const text = 'database.path = "a"\n[[listeners]]\naddr = ":443"\n[[listeners.routes]]\n' +
      `hostname = "a.example"\nbackend = "10.0.0.1:1"\nmode = "l7"\n` +
      `tls_cert = "${folder}/c.pem"\ntls_key = "${folder}"\n[firewall]\n` +
      `geoip_db = "${folder}/c.pem"\n`;
    const result = loadConfig(text);
    assert(!result.ok);
    const lines = result.problems.map((problem) => problem.message.replaceAll(folder, ""));
    assert.equal(lines[0], '"" is a directory');
    assert.match(lines[1] ?? "", /^"\/c\.pem" is not a usable MaxMind database: /);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
