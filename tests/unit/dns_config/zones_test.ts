import assert from "node:assert/strict";
import { octetString } from "../../../lib/dns/mod.ts";
import { formatProblem, loadMcnsConfig } from "../../../lib/dns_config/mod.ts";
import { createZoneKey, formatZoneKeys, parseZoneKeys } from "../../../lib/dnssec/mod.ts";
import { readServices, ZoneServices } from "../../../lib/dns_server/mod.ts";
import { nameOf } from "../../support/dns_server.ts";

const SECRET = "c2VjcmV0LWZvci10ZXN0cy1vbmx5LTAxMjM0NTY3ODk=";
const stored = await createZoneKey("active");
const FILES: Readonly<Record<string, string>> = {
  "/secret": `${SECRET}\n`,
  "/short": "AAAA\n",
  "/zone.json": formatZoneKeys([stored]),
  "/retired.json": formatZoneKeys([{ ...stored, role: "retired" }]),
};

function load(text: string) {
  return loadMcnsConfig(`database.path = "a.db"\n${text}`, {
    readFile: (path) => {
      const text = FILES[path];
      if (text === undefined) throw Object.assign(new Error(), { code: "ENOENT" });
      return new TextEncoder().encode(text);
    },
  });
}

function problemsOf(text: string): string[] {
  const result = load(text);
  assert(!result.ok, "it was taken");
  return result.problems.map((problem) => formatProblem("m", problem));
}

const GOOD = `[[dns.keys]]
name = "Xfr-Key"
secret_file = "/secret"
[[dns.zones]]
zone = "Z.example"
allow_transfer = ["10.0.0.0/8"]
transfer_keys = ["xfr-key"]
dnssec_keys = "/zone.json"
notify = ["10.0.0.2"]
  [[dns.zones.update]]
  key = "xfr-key"
  name = "dyn.z.example"
  below = true
  types = ["txt"]
`;

Deno.test("loadMcnsConfig() reads keys and zones, and readServices() what their files hold", async () => {
  const result = load(GOOD);
  assert(result.ok, JSON.stringify(result));
  const { keys, zones } = result.config.dns;
  assert.deepEqual(keys, [
    { name: "xfr-key.", algorithm: "hmac-sha256", secretFile: "/secret" },
  ]);
  assert.deepEqual(zones, [{
    zone: "z.example.",
    allowTransfer: ["10.0.0.0/8"],
    transferKeys: ["xfr-key."],
    notify: ["10.0.0.2:53"],
    dnssecKeys: "/zone.json",
    update: [{ key: "xfr-key.", name: "dyn.z.example.", below: true, types: ["TXT"] }],
  }]);
  const services = readServices(result.config.dns, (path) => FILES[path] ?? "");
  assert.deepEqual(services, {
    keys: [{ name: "xfr-key.", algorithm: "hmac-sha256", secret: SECRET }],
    zones: [{
      origin: octetString(nameOf("z.example")),
      transferAddresses: ["10.0.0.0/8"],
      transferKeys: ["xfr-key."],
      zoneKeys: [stored],
    }],
  });
  await ZoneServices.create(services, { now: () => 0 });
  const none = load("");
  assert(none.ok);
  assert.equal(readServices(none.config.dns), undefined);
});

Deno.test("loadMcnsConfig() refuses keys that cannot be used or are there twice, and zones that name others", () => {
  const key = (name: string, file: string) =>
    `[[dns.keys]]\nname = "${name}"\nsecret_file = "${file}"\n`;
  assert.deepEqual(problemsOf(key("a", "/secret") + key("A.", "/short") + key("b", "/none")), [
    'm:6:1: dns.keys[1].name: there are two keys "a."',
    'm:7:1: dns.keys[1].secret_file: "/short": the secret has 3 octets, fewer than 16',
    'm:10:1: dns.keys[2].secret_file: "/none" does not exist',
  ]);
  assert.match(
    problemsOf(`${key("a", "/secret")}algorithm = "hmac-md5"\n`)[0] ?? "",
    /dns\.keys\[0\]\.algorithm: "hmac-md5"/,
  );
  const zone = (more: string) => `[[dns.zones]]\nzone = "z.example"\n${more}`;
  assert.deepEqual(problemsOf(zone('transfer_keys = ["k"]\n') + zone("")), [
    'm:4:18: dns.zones[0].transfer_keys[0]: there is no key "k." in [[dns.keys]]',
    'm:6:1: dns.zones[1].zone: there are two of "z.example."',
  ]);
  const update = '  [[dns.zones.update]]\n  key = "k"\n  name = "xz.example"\n';
  assert.deepEqual(problemsOf(zone(update)), [
    'm:5:3: dns.zones[0].update[0].key: there is no key "k." in [[dns.keys]]',
    'm:6:3: dns.zones[0].update[0].name: "xz.example." is not in the zone',
  ]);
  assert.deepEqual(problemsOf(zone('dnssec_keys = "/secret"\n')), [
    'm:4:1: dns.zones[0].dnssec_keys: "/secret": it has no keys',
  ]);
  assert.deepEqual(problemsOf(zone('dnssec_keys = "/retired.json"\n')), [
    'm:4:1: dns.zones[0].dnssec_keys: "/retired.json": none of its keys is active',
  ]);
});

Deno.test("parseZoneKeys() reads what formatZoneKeys() writes, up to four keys, and nothing else", () => {
  const keysOf = (text: string) => {
    const keys = parseZoneKeys(text);
    return keys.ok ? keys.value : keys.reason;
  };
  const four = Array.from({ length: 4 }, () => stored);
  assert.deepEqual(keysOf(formatZoneKeys(four)), four);
  assert.match(String(keysOf(formatZoneKeys([...four, stored]))), /5 keys, over 4/);
  for (const text of ["", "[]", "null", '{"keys":{}}', '{"keys":[]}', '{"keys":[null]}']) {
    assert.equal(typeof keysOf(text), "string", text);
  }
  for (const part of ["role", "privateKey", "publicKey"]) {
    assert.equal(
      keysOf(JSON.stringify({ keys: [{ ...stored, [part]: 1 }] })),
      "a key is not valid",
    );
  }
});

Deno.test("ZoneServices.create() refuses a key that is none", async () => {
  const keys = [{ name: "k", algorithm: "hmac-sha256", secret: "%" }];
  await assert.rejects(ZoneServices.create({ keys, zones: [] }, { now: () => 0 }), /the key k: /);
  const broken = {
    ...stored,
    publicKey: (stored.publicKey.startsWith("A") ? "B" : "A") + stored.publicKey.slice(1),
  };
  const zones = [{
    ...{ origin: "\x01z\0", transferAddresses: [], transferKeys: [] },
    zoneKeys: [broken],
  }];
  await assert.rejects(
    ZoneServices.create({ keys: [], zones }, { now: () => 0 }),
    /a key of a zone/,
  );
});

const SECONDARY = `[[dns.keys]]
name = "xfr-key"
secret_file = "/secret"
[[dns.secondary]]
zone = "Z.example"
primaries = ["192.0.2.1", "[2001:db8::1]:5353"]
key = "XFR-key"
`;

Deno.test("loadMcnsConfig() reads secondary zones, with bounds for their times", () => {
  const result = load(`${SECONDARY}allow_notify = ["192.0.2.0/24"]\nmin_retry = "1m"\n`);
  assert(result.ok, JSON.stringify(result));
  assert.deepEqual(result.config.dns.secondary, [{
    zone: "z.example.",
    primaries: ["192.0.2.1:53", "[2001:db8::1]:5353"],
    key: "xfr-key.",
    allowNotify: ["192.0.2.0/24"],
    minRefreshMs: 5000,
    maxRefreshMs: 7 * 86_400_000,
    minRetryMs: 60_000,
    maxRetryMs: 86_400_000,
    maxExpireMs: 365 * 86_400_000,
  }]);
  const services = readServices(result.config.dns, () => SECRET);
  assert.equal(services?.keys.length, 1);
});

Deno.test("loadMcnsConfig() refuses secondary zones that cannot be followed", () => {
  const cases: Readonly<Record<string, string>> = {
    'zone = "z.example"\nprimaries = []': "m:6:1: dns.secondary[0].primaries: is empty",
    'zone = "."\nprimaries = ["192.0.2.1"]':
      "m:5:1: dns.secondary[0].zone: the root is not served here",
    'zone = "z.example"\nprimaries = ["192.0.2.1"]\nkey = "other"':
      'm:7:1: dns.secondary[0].key: there is no key "other." in [[dns.keys]]',
    'zone = "z.example"\nprimaries = ["192.0.2.1"]\nmin_refresh = "2h"\nmax_refresh = "1h"':
      "m:7:1: dns.secondary[0].min_refresh: is over max_refresh",
    'zone = "z.example"\nprimaries = ["127.0.0.1:5300"]':
      'm:6:14: dns.secondary[0].primaries[0]: "127.0.0.1:5300" is this server itself',
  };
  for (const [text, problem] of Object.entries(cases)) {
    const listen = '[dns]\nlisten_addr = "127.0.0.1:5300"\n';
    assert.deepEqual(problemsOf(`${listen}[[dns.secondary]]\n${text}\n`), [problem]);
  }
  const twice = `${SECONDARY}[[dns.secondary]]\nzone = "z.example"\nprimaries = ["192.0.2.9"]\n`;
  assert.match(problemsOf(twice).join(), /there are two of "z\.example\."/);
  const updated = SECONDARY + '[[dns.zones]]\nzone = "z.example"\n[[dns.zones.update]]\n' +
    'key = "xfr-key"\nname = "z.example"\n';
  assert.match(problemsOf(updated).join(), /it is changed at its primary/);
  assert.match(
    problemsOf(`${SECONDARY}[[dns.zones]]\nzone = "y"\nnotify_key = "other"\n`).join(),
    /notify_key: there is no key/,
  );
});
