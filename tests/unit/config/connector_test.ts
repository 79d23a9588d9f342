import assert from "node:assert/strict";
import { loadConfig } from "../../../lib/config/mod.ts";
import { formatProblem } from "../../../lib/config/mod.ts";
import { createServerIdentity } from "../../support/certificates.ts";
import { withDatabase } from "../../support/configs.ts";

const server = await createServerIdentity("*.connect.example");

const FILES: Readonly<Record<string, string>> = {
  "/ca.pem": server.ca,
  "/server.pem": server.certPem,
  "/server.key": server.keyPem,
  "/empty.pem": "",
};

/** A section that holds; its further settings start in line 6. */
const SECTION = `[connector]
ca_certs = ["/ca.pem"]
server_cert = "/server.pem"
server_key = "/server.key"
`;

function load(text: string, options: Omit<Parameters<typeof loadConfig>[1], "readFile"> = {}) {
  const readFile = (path: string) => {
    const text = FILES[path];
    if (text === undefined) throw Object.assign(new Error(path), { code: "ENOENT" });
    return new TextEncoder().encode(text);
  };
  return loadConfig(text, { ...options, readFile });
}

function linesOf(text: string): string[] {
  const result = load(text);
  const found = result.ok ? result.warnings : result.problems;
  return found.map((problem) => formatProblem("", problem).slice(1));
}

Deno.test("loadConfig() gives the connector the defaults of its flags", () => {
  const result = load(withDatabase(`${SECTION}domain = "connect.example"\n`));
  assert.ok(result.ok, JSON.stringify(result));
  assert.deepEqual(result.warnings, []);
  assert.deepEqual(result.config.connector, {
    allowedNetworks: [],
    listen: ":8443",
    proxyProtocol: false,
    trustedProxies: [],
    maxConnections: 0,
    sendProxyProtocol: false,
    caCerts: ["/ca.pem"],
    crls: [],
    serverCert: "/server.pem",
    serverKey: "/server.key",
    issuer: "tinyscale.com",
    domain: "connect.example",
    defaultPort: 22,
    db: "postgres",
    dbHost: "127.0.0.1",
    dbPort: 5432,
    dbUser: "tinyscale",
    dbPassword: "tinyscale",
    dbName: "tinyscale-ssh",
    dbTls: false,
    authorizationCacheMs: 5_000,
    revalidateMs: 10_000,
    outageGraceMs: 300_000,
  });
});

Deno.test("loadConfig() says what is wrong with a connector, with its place", () => {
  const text = withDatabase(`[connector]
ca_certs = ["/empty.pem", "/server.pem", "/nowhere.pem"]
server_cert = "/server.pem"
server_key = "/ca.pem"
issuer = "spiffe://tinyscale.com"
db = "mysql"
db_password_file = "/nowhere"
`);
  assert.deepEqual(linesOf(text), [
    '3:13: connector.ca_certs[0]: "/empty.pem": holds no certificate',
    '3:27: connector.ca_certs[1]: "/server.pem": certificate 1 is not of an authority',
    '3:42: connector.ca_certs[2]: "/nowhere.pem" does not exist',
    '5:1: connector.server_key: "/ca.pem": the key is missing: the file holds a certificate',
    '6:1: connector.issuer: "spiffe://tinyscale.com" is invalid: a trust domain has lower-case ' +
    "letters, digits, dots, - and _",
    '7:1: connector.db: "mysql" is invalid: neither postgres nor sqlite:PATH',
    '8:1: connector.db_password_file: "/nowhere" does not exist',
  ]);
});

Deno.test("loadConfig() never repeats a password", () => {
  const secret = "hunter2".repeat(200);
  const [line, ...others] = linesOf(
    withDatabase(`${SECTION}domain = "connect.example"\ndb_password = "${secret}"\n`),
  );
  assert.deepEqual(others, []);
  assert.equal(line, "7:1: connector.db_password: is over 1024 characters, or holds a NUL");
});

Deno.test("loadConfig() warns of a connector's settings that do nothing", () => {
  const text = withDatabase(`${SECTION}domain = "connect.other"
db = "sqlite:/d.db"
db_tls = true
trusted_proxies = ["10.0.0.1"]
`);
  assert.deepEqual(linesOf(text), [
    '4:1: connector.server_cert: "/server.pem": the certificate is not for "*.connect.other"',
    "8:1: connector.db_tls: ignored with SQLite",
    "9:1: connector.trusted_proxies: ignored without proxy_protocol",
  ]);
});

Deno.test("loadConfig() refuses an mtls route that holds no host of the domain", () => {
  const route = (hostname: string) =>
    withDatabase(`${SECTION}domain = "connect.example"
[[listeners]]
addr = ":443"
[[listeners.routes]]
hostname = "${hostname}"
mode = "mtls"
`);
  assert.deepEqual(linesOf(route("*.connect.example")), []);
  assert.deepEqual(linesOf(route("host-1.connect.example")), []);
  for (const hostname of ["*.example", "connect.example", "a.b.connect.example", "*.other"]) {
    assert.deepEqual(linesOf(route(hostname)), [
      `10:1: listeners[0].routes[0].hostname: "${hostname}" holds no host of the connector's ` +
      'domain "connect.example"; did you mean "*.connect.example"?',
    ]);
  }
});

Deno.test("loadConfig() lets overrides win and needs no database for the connector's command", () => {
  const result = load(`${SECTION}domain = "connect.example"\n`, {
    overrides: { connector: { listen: "127.0.0.1:9443", db_port: 6000n }, log: { level: "warn" } },
    needsDatabase: false,
  });
  assert.ok(result.ok, JSON.stringify(result));
  const { connector, log } = result.config;
  assert.deepEqual(
    [connector?.listen, connector?.dbPort, connector?.serverCert, log.level],
    ["127.0.0.1:9443", 6000, "/server.pem", "warn"],
  );
  assert.equal(load(SECTION).ok, false);
});
