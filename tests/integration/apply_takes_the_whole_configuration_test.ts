import assert from "node:assert/strict";
import { startAdmin } from "../support/admin.ts";
import { runCtl } from "../support/mcproxyctl.ts";

/** A configuration file as it lies on a server. */
function wholeFile(addr: string): string {
  return `[database]
path = "/srv/mc-proxy/mc-proxy.db"
[grpc]
addr = "/srv/mc-proxy/mc-proxy.sock"
[[listeners]]
addr = "${addr}"
[[listeners.routes]]
hostname = "new.example"
backend = "192.0.2.5:443"
[firewall]
blocked_ips = ["192.0.2.1"]
blocked_cidrs = ["198.51.100.0/24"]
rate_limit = 7
ipv6_prefix = 56
[proxy]
idle_timeout = "1d"
`;
}

const NOTE = "mcproxyctl: skipped [database], [grpc], [proxy], firewall.ipv6_prefix: settings of " +
  "the process, which are read at its start\n";

Deno.test("mc-proxy.toml is applied as it is, and what needs a restart is named", async () => {
  await using admin = await startAdmin();
  await runCtl(admin, ["firewall", "add", "ip", "203.0.113.9"]);
  const text = wholeFile(admin.addr);
  const diff = await runCtl(admin, ["apply", "-f", "-", "--diff"], text);
  assert.deepEqual([diff.code, diff.stderr], [0, NOTE]);
  for (
    const line of [
      `\\+ route ${admin.addr} new\\.example`,
      "\\+ firewall_rule ip 192\\.0\\.2\\.1",
      "\\+ firewall_rule cidr 198\\.51\\.100\\.0/24",
      "- firewall_rule ip 203\\.0\\.113\\.9",
      "~ rate_limit rate_limit .*",
    ]
  ) assert.match(diff.stdout, new RegExp(`^${line}$`, "m"));
  const applied = await runCtl(admin, ["--json", "apply", "-f", "-"], text);
  assert.deepEqual([applied.code, applied.stderr], [0, NOTE]);
  JSON.parse(applied.stdout);
  const again = await runCtl(admin, ["apply", "-f", "-", "--diff"], text);
  assert.equal(again.stdout, "no difference\n");
  assert.deepEqual(admin.control.firewall.rateLimit, { limit: 7, windowMs: 10_000 });
});

Deno.test("what mc-proxy.toml does not name stays: bans outlive a file without lists", async () => {
  await using admin = await startAdmin();
  await runCtl(admin, ["firewall", "add", "ip", "203.0.113.9"]);
  await runCtl(admin, ["firewall", "rate-limit", "9", "1m"]);
  const text = '[log]\nlevel = "debug"\n[firewall]\nipv6_prefix = 56\n';
  const { code, stdout } = await runCtl(admin, ["apply", "-f", "-"], text);
  assert.deepEqual([code, stdout], [0, "no difference\n"]);
  // An empty list is a list.
  const empty = await runCtl(admin, ["apply", "-f", "-", "--diff"], "firewall.blocked_ips = []");
  assert.match(empty.stdout, /^- firewall_rule ip 203\.0\.113\.9$/m);
});

Deno.test("apply reports every problem of mc-proxy.toml with its place, as check does", async () => {
  await using admin = await startAdmin();
  const text = wholeFile(admin.addr).replace('"192.0.2.5:443"', '"https://192.0.2.5"')
    .replace('"1d"', '"soon"') + "[sever]\n";
  const { code, stdout, stderr } = await runCtl(admin, ["apply", "-f", "-"], text);
  assert.deepEqual([code, stdout], [2, ""]);
  assert.deepEqual(stderr.trimEnd().split("\n"), [
    'mcproxyctl: standard input:9:1: listeners[0].routes[0].backend: "https://192.0.2.5" is ' +
    'invalid: it is a URL, not host:port; did you mean "192.0.2.5:443" and backend_tls = true?',
    'mcproxyctl: standard input:16:1: proxy.idle_timeout: "soon" is not a duration such as ' +
    '"300ms", "5s", "2m" or "1h"',
    "mcproxyctl: standard input:17:2: sever: unknown key; did you mean server?",
  ]);
});

Deno.test("of very many differences the first are named, and all are counted and made", async () => {
  await using admin = await startAdmin();
  const many = 10_003;
  const blocks = Array.from({ length: many }, (_, i) => `"10.${i >> 8}.${i & 255}.0/24"`);
  const text = `firewall.blocked_cidrs = [${blocks.join()}]`;
  const shown = await runCtl(admin, ["apply", "-f", "-", "--diff"], text);
  const lines = shown.stdout.trimEnd().split("\n");
  assert.equal(lines.length, 10_002);
  assert.deepEqual(lines.slice(-2), ["… and 3 more", `${many} differences`]);
  const done = await runCtl(admin, ["apply", "-f", "-"], text);
  assert.match(done.stdout, new RegExp(`^applied ${many} changes, now at revision \\d+$`, "m"));
  assert.equal(admin.control.state.database.rules.size, many);
});

Deno.test("what only the proxy finds out has its place in the file that was sent, all of it", async () => {
  await using admin = await startAdmin();
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const text = `[[listeners]]
addr = "${admin.addr}"
[[listeners.routes]]
hostname = "here.example"
backend = "192.0.2.5:443"
[[listeners.routes]]
hostname = "geo.example"
backend = "192.0.2.5:443"
  allowed_countries = ["NL"]
[[listeners]]
  addr = "127.0.0.1:${taken.addr.port}"
[[listeners.routes]]
hostname = "a.example"
mode = "l7"
backend = "192.0.2.5:443"
tls_cert = "/absent/a.pem"
tls_key = "/absent/a.key"
[firewall]
`;
  const said = [
    "9:3: listeners[0].routes[1].allowed_countries: needs a GeoIP database",
    "11:3: listeners[1].addr: the port is in use by another program",
    "16:1: listeners[1].routes[0].tls_cert: the file does not exist",
  ];
  const country = "a country rule needs a GeoIP database";
  for (
    const [rules, line] of [
      [
        'geoip_db = "x.mmdb"\nblocked_ips = ["192.0.2.1"]\nblocked_countries = [\n  "DE",\n]\n',
        `22:3: firewall.blocked_countries[0]: ${country}`,
      ],
      // As it is exported.
      [
        '[[firewall.rules]]\ntype = "ip"\nvalue = "192.0.2.1"\n' +
        '[[firewall.rules]]\ntype = "country"\nvalue = "DE"\n',
        `23:1: firewall.rules[1].type: ${country}`,
      ],
    ] as const
  ) {
    for (const flags of [["--diff"], []]) {
      const { code, stdout, stderr } = await runCtl(
        admin,
        ["apply", "-f", "-", ...flags],
        text + rules,
      );
      assert.deepEqual([code, stdout], [2, ""]);
      const expected = [...said, line].map((it) => `mcproxyctl: standard input:${it}`);
      const lines = stderr.trimEnd().split("\n").filter((it) => !it.includes(": skipped "));
      assert.deepEqual(lines, expected);
    }
  }
  assert.equal(admin.control.listeners.length, 1);
});
