import assert from "node:assert/strict";
import { parse } from "smol-toml";
import {
  formatCidr,
  formatEndpoint,
  formatIp,
  ipFromBytes,
  parseBackendEndpoint,
  parseCidr,
  parseHostname,
  parseHostPattern,
  parseIp,
  parseListenEndpoint,
} from "../../../lib/addr/mod.ts";
import { loadConfig } from "../../../lib/config/mod.ts";
import { importDirectory } from "../../../lib/connector/mod.ts";
import { readStateFile, writeStateFile } from "../../../lib/state/mod.ts";
import { parseSpiffeId } from "../../../lib/x509/mod.ts";
import type { Random } from "../../support/fuzz.ts";
import { bytesOf, disturb, type FuzzTarget, textOf } from "../../support/fuzz_target.ts";

/** Tokens and fragments that make a document of TOML go wrong in interesting places. */
const TOML_WORDS = [
  "[",
  "]",
  "[[",
  "]]",
  "=",
  ".",
  '"',
  '"""',
  "'",
  "'''",
  "{",
  "}",
  ",",
  "#",
  "\n",
  "\r\n",
  "\\",
  "\0",
  "\ud800",
  "0",
  "-1",
  "1e400",
  "99999999999999999999",
  "nan",
  "1979-05-27",
  "__proto__",
  "true",
];

/** Where each problem is has to be a place of the file. */
function checkPlaces(
  text: string,
  notes: readonly { readonly line: number; readonly column: number }[],
): void {
  const lines = text.split("\n");
  for (const { line, column } of notes) {
    const width = lines[line - 1]?.length ?? -1;
    assert(column >= 1 && column <= width + 1, `${line}:${column} of ${JSON.stringify(text)}`);
  }
}

const STATE = `[[listeners]]
addr = "127.0.0.1:443"
proxy_protocol = true
trusted_proxies = ["10.0.0.0/8"]
max_connections = 7
[[listeners.routes]]
hostname = "*.a.example"
backend = "10.0.0.1:443"
mode = "l7"
tls_cert = "/srv/a.pem"
tls_key = "/srv/a.key"
[[listeners.routes.policies]]
type = "require_header"
key = "x-a"
value = "b"
[firewall]
rate_limit = 20
rate_window = "10s"
[[firewall.rules]]
type = "cidr"
value = "192.0.2.0/24"
reason = "r"
`;

/** A state in TOML. */
export const STATE_FILE: FuzzTarget = {
  name: "state_file",
  rounds: 1000,
  make: (random) => bytesOf(disturb(STATE, TOML_WORDS, random)),
  check(bytes) {
    const text = textOf(bytes);
    const result = readStateFile(text);
    if (!result.ok) {
      assert.notEqual(result.problems.length, 0);
      return checkPlaces(text, result.problems);
    }
    const { listeners, firewall } = parse(text) as Record<string, { rules?: unknown[] }>;
    assert.equal(result.state.listeners?.length, (listeners as unknown[] | undefined)?.length);
    assert.equal(result.state.rules?.length, firewall?.rules?.length);
    const written = writeStateFile(result.state);
    const again = readStateFile(written);
    assert.ok(again.ok, written);
    assert.equal(writeStateFile(again.state), written);
    if (result.state.rules !== undefined) assert.deepEqual(again.state.rules, result.state.rules);
    if (result.state.listeners !== undefined) {
      assert.deepEqual(again.state.listeners, result.state.listeners);
    }
  },
};

const CONFIG = `[database]
path = "/srv/a.db"
[[listeners]]
addr = ":443"
trusted_proxies = ["10.0.0.0/8"]
  [[listeners.routes]]
  hostname = "a.example"
  backend = "10.0.0.1:443"
[proxy]
idle_timeout = "5s"
`;

/** The configuration. */
export const CONFIGURATION: FuzzTarget = {
  name: "configuration",
  rounds: 1000,
  make: (random) => bytesOf(disturb(CONFIG, TOML_WORDS, random)),
  check(bytes) {
    const text = textOf(bytes);
    const result = loadConfig(text);
    if (!result.ok) assert.notEqual(result.problems.length, 0);
    checkPlaces(text, result.ok ? result.warnings : result.problems);
  },
};

const DIRECTORY_TOML = `[[users]]
user_id = "alice"
org_id = "acme"
[[teams]]
team_id = "ops"
org_id = "acme"
user_ids = ["alice"]
[[hosts]]
connect_id = "host-1"
internal_ip_addr = "10.0.0.5:22"
org_id = "acme"
team_ids = ["ops"]
`;
const DIRECTORY_CSV = `kind,id,org_id,internal_ip_addr,user_ids
user,"alice",acme,,
host,"host-1",acme,10.0.0.5,alice;alice
`;

/** Who may go where, as CSV (whatever begins with "kind") or TOML. */
export const DIRECTORY: FuzzTarget = {
  name: "directory",
  rounds: 3000,
  make(random) {
    const words = [...TOML_WORDS, ";", "kind", '""'];
    return bytesOf(disturb(random.pick([DIRECTORY_TOML, DIRECTORY_CSV]), words, random));
  },
  check(bytes) {
    const text = textOf(bytes);
    const result = importDirectory(text, text.startsWith("kind") ? "csv" : "toml");
    if (result.ok) return;
    assert.ok(result.problems.length > 0);
    const lines = text.split("\n").length;
    for (const { line } of result.problems) {
      assert.ok(line >= 1 && line <= lines, `line ${line} of ${JSON.stringify(text)}`);
    }
  },
};

const ADDRESS_WORDS = [".", ":", "::", "/", "0", "00", "255", "256", "ffff", "x", "%", "[", "]"]
  .concat(["*", "-", "_", "A", "é", " ", "\0", "127.0.0.1", "0x7f", "1e3"]);

function randomAddress(random: Random): string {
  const ip = formatIp(ipFromBytes(random.bytes(random.pick([4, 16]))));
  return random.pick([
    ip,
    `${ip}/${random.below(130)}`,
    `[${ip}]:443`,
    `${ip}:8080`,
    `:${random.below(70_000)}`,
    "*.a-b.example",
    "xn--a.Example.",
    "spiffe://e.example/orgs/o/users/u",
  ]);
}

/** Addresses, networks, names and identities: what was read and written is read the same again. */
export const ADDRESSES: FuzzTarget = {
  name: "addresses",
  rounds: 20_000,
  make: (random) => bytesOf(disturb(randomAddress(random), ADDRESS_WORDS, random)),
  check(bytes) {
    const text = textOf(bytes);
    const ip = parseIp(text);
    if (ip.ok) assert.deepEqual(parseIp(formatIp(ip.value)), ip);
    const cidr = parseCidr(text);
    if (cidr.ok) assert.deepEqual(parseCidr(formatCidr(cidr.value)), cidr);
    assert.ok(!ip.ok || !cidr.ok, "an address is no network");
    const name = parseHostname(text);
    if (name.ok) {
      assert.deepEqual(parseHostname(name.value), name);
      assert.match(name.value, /^[a-z0-9_.-]{1,253}$/);
      assert.ok(!ip.ok, "an address is no name");
    }
    for (const read of [parseListenEndpoint, parseBackendEndpoint]) {
      const endpoint = read(text);
      if (!endpoint.ok) continue;
      const written = formatEndpoint(endpoint.value);
      assert.deepEqual(read(written), endpoint, written);
    }
    parseHostPattern(text);
    const id = parseSpiffeId(text);
    if (id.ok) {
      const { trustDomain, path } = id.value;
      assert.equal(`spiffe://${trustDomain}${path}`, text, "there is one way to write an identity");
    }
  },
};
