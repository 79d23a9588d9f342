import assert from "node:assert/strict";
import { servedAddresses, servingSettings } from "../../../lib/cli/mcns_serving.ts";
import { loadMcnsConfig, type McnsConfig } from "../../../lib/dns_config/mod.ts";
import { createServerIdentity } from "../../support/certificates.ts";

const { certPem, keyPem } = await createServerIdentity("ns.example.net");
const SECRET = "e5e973e5a6b2a43f48e7dc849e37bfcf";
const FILES: Readonly<Record<string, string>> = {
  "/tls.pem": certPem,
  "/tls.key": keyPem,
  "/cookie": SECRET,
};

function configOf(text: string): McnsConfig {
  const result = loadMcnsConfig(`database.path = "a.db"\n${text}`, {
    readFile: (path) => new TextEncoder().encode(FILES[path] ?? ""),
  });
  assert(result.ok, JSON.stringify(result));
  return result.config;
}

const interfaces = () => [
  { family: "IPv4" as const, address: "127.0.0.1" },
  { family: "IPv6" as const, address: "::1" },
  { family: "IPv4" as const, address: "192.0.2.1" },
  { family: "IPv6" as const, address: "2001:db8::1" },
  { family: "IPv6" as const, address: "fe80::1" },
];

const hostsOf = (text: string) =>
  servedAddresses(configOf(text), interfaces).map(({ host, port, tlsPort }) =>
    `${host} ${port}${tlsPort === undefined ? "" : ` ${tlsPort}`}`
  );

Deno.test("servedAddresses() names each address of a wildcard, but those of a link alone", () => {
  assert.deepEqual(hostsOf('dns.listen_addr = ":53"'), [
    ...["127.0.0.1 53", "::1 53", "192.0.2.1 53", "2001:db8::1 53"],
  ]);
  assert.deepEqual(hostsOf('dns.listen_addr = "0.0.0.0:53"'), ["127.0.0.1 53", "192.0.2.1 53"]);
  assert.deepEqual(hostsOf('dns.listen_addr = "[::]:53"'), ["::1 53", "2001:db8::1 53"]);
  assert.deepEqual(
    hostsOf('[dns]\nlisten_addr = "192.0.2.1:53"\nlisten_also_at = ["127.0.0.1:5353"]'),
    ["192.0.2.1 53", "127.0.0.1 5353"],
  );
});

Deno.test("servedAddresses() has DNS over TLS where it is wanted", () => {
  const dot = (addr: string) =>
    `[dns]\nlisten_addr = "0.0.0.0:53"\n[dns.dot]\nlisten_addr = "${addr}"\n` +
    'tls_cert = "/tls.pem"\ntls_key = "/tls.key"\n';
  assert.deepEqual(hostsOf(dot(":853")), ["127.0.0.1 53 853", "192.0.2.1 53 853"]);
  assert.deepEqual(hostsOf(dot("192.0.2.1:853")), ["127.0.0.1 53", "192.0.2.1 53 853"]);
});

Deno.test("servingSettings() says whom to ask, and how long answers are kept", () => {
  const none = servingSettings(configOf(""));
  assert.equal(none.forward, undefined);
  assert.deepEqual(none.cookieSecret?.length, 4);
  const { forward, cookieSecret } = servingSettings(
    configOf(`[dns]
upstreams = ["192.0.2.53", "192.0.2.54:5353"]
trusted_upstreams = ["192.0.2.54:5353"]
[[dns.forward]]
zone = "Corp.example"
upstreams = ["10.0.0.53"]
[dns.cache]
size = "1MiB"
serve_stale = "90s"
[dns.cookies]
secret_file = "/cookie"
`),
    (path) => FILES[path] ?? "",
  );
  assert.deepEqual(forward?.upstreams, [
    { hostname: "192.0.2.53", port: 53, isTrusted: false },
    { hostname: "192.0.2.54", port: 5353, isTrusted: true },
  ]);
  const [zone] = forward?.zones ?? [];
  assert.deepEqual(zone?.upstreams, [{ hostname: "10.0.0.53", port: 53, isTrusted: false }]);
  assert.equal(new TextDecoder().decode(zone?.zone), "\x04corp\x07example\0");
  assert.deepEqual(forward?.limits, { cacheOctets: 1_048_576, staleSeconds: 90 });
  assert.deepEqual(
    cookieSecret?.[0],
    new DataView(Uint8Array.fromHex(SECRET).buffer).getInt32(0, true),
  );
  assert.equal(servingSettings(configOf("dns.cookies.enabled = false")).cookieSecret, undefined);
});
