import assert from "node:assert/strict";
import {
  formatProblem,
  loadMcnsConfig,
  parseCookieSecret,
  renderMcnsReference,
} from "../../../lib/dns_config/mod.ts";
import { createServerIdentity } from "../../support/certificates.ts";

const identity = await createServerIdentity("ns.example.net");
const SECRET = "000102030405060708090a0b0c0d0e0f";

/** Files of the names that the tests give. */
function readFile(path: string): Uint8Array {
  const texts: Readonly<Record<string, string>> = {
    "/tls.pem": identity.certPem,
    "/tls.key": identity.keyPem,
    "/srv/mcns/certs/mcns.pem": identity.certPem,
    "/srv/mcns/certs/mcns.key": identity.keyPem,
    "/cookie": `${SECRET}\n`,
  };
  const text = texts[path];
  if (text === undefined) throw Object.assign(new Error(), { code: "ENOENT" });
  return new TextEncoder().encode(text);
}

function load(text: string) {
  return loadMcnsConfig(text, { readFile });
}

function problemsOf(text: string): string[] {
  const result = load(`database.path = "a.db"\n${text}`);
  assert(!result.ok, "it was taken");
  return result.problems.map((problem) => formatProblem("m", problem));
}

function warningsOf(text: string): string[] {
  const result = load(`database.path = "a.db"\n${text}`);
  assert(result.ok, JSON.stringify(result));
  return result.warnings.map((problem) => formatProblem("m", problem));
}

Deno.test("docs/mcns.md is what `deno task reference` writes", () => {
  const file = new URL("../../../docs/mcns.md", import.meta.url);
  assert.equal(Deno.readTextFileSync(file), renderMcnsReference());
});

Deno.test("the example of docs/mcns.md, as the original has it, loads without a warning", () => {
  const [, example = ""] = /```toml\n([^]*?)```/.exec(renderMcnsReference()) ?? [];
  const result = load(example);
  assert(result.ok, JSON.stringify(result));
  assert.deepEqual(result.warnings, []);
  const { server, database, dns, mcias, log } = result.config;
  assert.equal(server?.listenAddr, ":8444");
  assert.equal(server?.grpcAddr, ":9444");
  assert.equal(database.path, "/srv/mcns/mcns.db");
  assert.equal(dns.listenAddr, ":53");
  assert.deepEqual(dns.upstreams, ["1.1.1.1:53", "8.8.8.8:53"]);
  assert.deepEqual(dns.forward, [{ zone: "corp.example.", upstreams: ["10.0.0.53:53"] }]);
  assert.equal(mcias?.serverUrl, "https://127.0.0.1:8443/");
  assert.equal(mcias?.caCert, "");
  assert.equal(log.level, "info");
});

Deno.test("loadMcnsConfig() limits answers, gives cookies and forwards for own networks by default", () => {
  const result = load('[database]\npath = "a.db"\n');
  assert(result.ok, JSON.stringify(result));
  const { config: { dns, server, metrics, auth } } = result;
  assert.deepEqual([server, metrics, auth.tokenHashes], [undefined, undefined, []]);
  assert.deepEqual(dns.rrl, {
    responsesPerSecond: 200,
    slip: 2,
    ipv4Prefix: 24,
    ipv6Prefix: 56,
    exempt: ["127.0.0.0/8", "::1/128"],
  });
  assert.deepEqual(dns.cookies, { enabled: true });
  assert.equal(dns.limits.udpPayload, 1232);
  assert.equal(dns.dot, undefined);
  assert(dns.allowRecursion.includes("100.64.0.0/10"));
  assert(dns.allowRecursion.includes("::1/128"));
});

Deno.test("loadMcnsConfig() says every problem with its line and column, and what was meant", () => {
  assert.deepEqual(
    problemsOf(`[dns]
upstream = ["1.1.1.1"]
upstreams = ["one.example:53"]
allow_recursion = ["10.0.0.1/8"]
  [[dns.forward]]
  zone = "a..b"
  upstreams = []
  [dns.rrl]
  slip = 101
[auth]
token_hashes = ["sha256:12"]
[server]
tls_cert = "/tls.pem"
tls_key = "/missing.key"`),
    [
      "m:3:1: dns.upstream: unknown key; did you mean upstreams?",
      'm:4:14: dns.upstreams[0]: "one.example:53" is invalid: not an IP address',
      'm:5:20: dns.allow_recursion[0]: "10.0.0.1/8" is invalid: host bits are set; did you mean 10.0.0.0/8?',
      'm:7:3: dns.forward[0].zone: "a..b" is invalid: a label is empty',
      "m:8:3: dns.forward[0].upstreams: is empty",
      "m:10:3: dns.rrl.slip: 101 is not in 0–100",
      'm:12:17: auth.token_hashes[0]: "sha256:12" is invalid: not sha256: and 64 hexadecimal digits',
      'm:15:1: server.tls_key: "/missing.key" does not exist',
    ],
  );
});

Deno.test("loadMcnsConfig() refuses two that listen at one address, and a zone that is led to two places", () => {
  const forward = (zone: string) => `[[dns.forward]]\nzone = "${zone}"\nupstreams = ["10.0.0.1"]\n`;
  const [overlap = "", repeated = "", ...more] = problemsOf(
    `[dns]\nlisten_addr = ":5353"\nlisten_also_at = ["127.0.0.1:5353"]\n` +
      forward("Corp.example") + forward("corp.example."),
  );
  assert.match(overlap, /^m:4:19: dns\.listen_also_at\[0\]: /);
  assert.equal(repeated, 'm:9:1: dns.forward[1].zone: "corp.example." repeats dns.forward[0]');
  assert.deepEqual(more, []);
});

Deno.test("loadMcnsConfig() refuses an upstream that is the server itself", () => {
  const dns = '[dns]\nlisten_addr = "127.0.0.1:53"\n';
  assert.deepEqual(problemsOf(`${dns}upstreams = ["127.0.0.2", "127.0.0.1"]\n`), [
    'm:4:27: dns.upstreams[1]: "127.0.0.1:53" is this server itself',
  ]);
  assert.deepEqual(
    problemsOf(`[[dns.forward]]\nzone = "a"\nupstreams = ["127.0.0.1"]\n`),
    ['m:4:14: dns.forward[0].upstreams[0]: "127.0.0.1:53" is this server itself'],
  );
});

Deno.test("loadMcnsConfig() reads the pair of DNS over TLS and the secret of cookies", () => {
  const dot = (key: string) => `[dns.dot]\ntls_cert = "/tls.pem"\ntls_key = "${key}"\n`;
  const result = load(
    `database.path = "a.db"\n${dot("/tls.key")}[dns.cookies]\nsecret_file = "/cookie"\n`,
  );
  assert(result.ok, JSON.stringify(result));
  assert.equal(result.config.dns.dot?.listenAddr, ":853");
  const [problem, ...more] = problemsOf(`${dot("/tls.pem")}`);
  assert.match(problem ?? "", /dns\.dot\.tls_key: "\/tls\.pem": the key /);
  assert.deepEqual(more, []);
  assert.deepEqual(problemsOf('[dns.cookies]\nsecret_file = "/tls.pem"\n'), [
    'm:3:1: dns.cookies.secret_file: "/tls.pem" does not hold 32 hexadecimal digits',
  ]);
});

Deno.test("loadMcnsConfig() warns where nobody could do anything, and of an upstream that is never asked", () => {
  const server = '[server]\ntls_cert = "/tls.pem"\ntls_key = "/tls.key"\n';
  assert.deepEqual(warningsOf(server), [
    "m:2:2: server: has neither listen_addr nor grpc_addr: nothing is served",
  ]);
  assert.deepEqual(warningsOf(`${server}listen_addr = ":8444"\n`), [
    "m:2:2: server: nobody can show a token: there is neither [mcias] nor [auth]",
  ]);
  const auth = `[auth]\ntoken_hashes = ["sha256:${"A".repeat(64)}"]\n`;
  assert.deepEqual(warningsOf(`${server}listen_addr = ":8444"\n${auth}`), []);
  assert.deepEqual(warningsOf('[dns]\ntrusted_upstreams = ["10.0.0.1"]\n'), [
    'm:3:22: dns.trusted_upstreams[0]: "10.0.0.1:53" is never asked',
  ]);
});

Deno.test("loadMcnsConfig() writes the digits of hashes small, and refuses them without their name", () => {
  const hash = `sha256:${"A".repeat(64)}`;
  const result = load(`database.path = "a.db"\n[auth]\ntoken_hashes = ["${hash}"]\n`);
  assert(result.ok);
  assert.deepEqual(result.config.auth.tokenHashes, [`sha256:${"a".repeat(64)}`]);
  assert.equal(problemsOf(`[auth]\ntoken_hashes = ["${"a".repeat(64)}"]\n`).length, 1);
  assert.equal(problemsOf(`[auth]\ntoken_hashes = ["sha256:${"a".repeat(65)}"]\n`).length, 1);
});

Deno.test("loadMcnsConfig() takes https alone for where tokens are checked", () => {
  assert.deepEqual(problemsOf('[mcias]\nserver_url = "http://127.0.0.1:8443"\n'), [
    'm:3:1: mcias.server_url: "http://127.0.0.1:8443" is invalid: it is no https URL',
  ]);
});

Deno.test("parseCookieSecret() takes 32 hexadecimal digits, and neither fewer nor more", () => {
  assert.deepEqual(parseCookieSecret(`${SECRET}\n`), Uint8Array.fromHex(SECRET));
  assert.equal(parseCookieSecret(SECRET.slice(1)), undefined);
  assert.equal(parseCookieSecret(`${SECRET}0`), undefined);
  assert.equal(parseCookieSecret(SECRET.replace("f", "g")), undefined);
});
