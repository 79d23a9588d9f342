import assert from "node:assert/strict";
import { DEFAULT_HTTP_LIMITS } from "../../../lib/l7/mod.ts";
import { configOf, problemsOf, withDatabase, withRoute } from "../../support/configs.ts";

Deno.test("loadConfig() fills in every default", () => {
  assert.deepEqual({ ...configOf(withDatabase("")) }, {
    database: { path: "/srv/a.db" },
    state: { source: "database" },
    listeners: [],
    firewall: {
      blockedIps: [],
      blockedCidrs: [],
      blockedCountries: [],
      allowedIps: [],
      allowedCidrs: [],
      allowedCountries: [],
      allowedSkipRateLimit: false,
      rateLimit: 0,
      ipv6Prefix: 64,
      ipv6SiteFactor: 32,
      maxConnectionsPerSource: 0,
      rateWindowMs: 10_000,
    },
    bans: [],
    proxy: { connectTimeoutMs: 5_000, idleTimeoutMs: 300_000, shutdownTimeoutMs: 30_000 },
    resolver: { servers: [] },
    l7: {
      h2Transport: "own",
      accessLog: true,
      refuseUnderscores: true,
      trustedForwarding: [],
      errorPages: [],
      requestTrailers: [],
      limits: DEFAULT_HTTP_LIMITS,
    },
    log: { level: "info", format: "text" },
    server: { sockets: "auto", memoryLimitMib: 0 },
  });
});

Deno.test("loadConfig() reads every setting, in canonical form", () => {
  const config = configOf(`
    [database]
    path = "srv/a.db"
    [state]
    source = "file"
    [[listeners]]
    addr = "[2001:DB8:0::1]:8443"
    proxy_protocol = true
    max_connections = 1_000
    trusted_proxies = ["::ffff:10.0.0.1", "2001:db8::/32"]
      [[listeners.routes]]
      hostname = "*.Bücher.Example."
      backend = "Backend.internal.:443"
      send_proxy_protocol = true
      backend_protocol = "h2"
      backend_server_name = "Backend.Example"
      allowed_ips = ["2001:DB8::1"]
      allowed_cidrs = ["192.0.2.0/24"]
        [[listeners.routes.policies]]
        type = "block_user_agent"
        value = "/bot$/"
      [[listeners.routes]]
      hostname = "host.example"
      mode = "mtls"
    [grpc]
    addr = "/srv/a.sock"
    [firewall]
    blocked_ips = ["192.0.2.1", "2001:DB8::0"]
    blocked_cidrs = ["10.0.0.0/8"]
    allowed_ips = ["::ffff:192.0.2.9"]
    allowed_cidrs = ["10.1.0.0/16", "2001:DB8::/32"]
    allowed_skip_rate_limit = true
    rate_limit = 20
    rate_window = "1m"
    ipv6_prefix = 56
    ipv6_site_factor = 4
    max_connections_per_source = 100
    [[ban]]
    on = ["no_route", "policy"]
    count = 20
    within = "1m"
    for = "1h"
    [history]
    path = "srv/history.db"
    days = 3
    megabytes = 64
    [proxy]
    connect_timeout = "300ms"
    idle_timeout = "2m"
    shutdown_timeout = "1h"
    [resolver]
    servers = ["192.0.2.53", "2001:DB8:0::53", "192.0.2.54:5353"]
    [l7]
    h2_transport = "node"
    access_log = false
    refuse_underscores = false
    trusted_forwarding = ["2001:DB8:0::/32", "::ffff:192.0.2.1"]
    request_trailers = ["X-Sum"]
    [l7.limits]
    max_request_head = "16KiB"
    max_response_head = "128KiB"
    max_fields = 100
    max_trailers = "512B"
    max_chunk_overhead = "1MiB"
    content_buffer = "32KiB"
    header_timeout = "5s"
    keep_alive_timeout = "1m"
    max_requests = 1_000
    max_interim = 4
    max_interim_forwarded = 2
    [log]
    level = "debug"
    format = "json"
    [server]
    workers = 0
    sockets = "node"
    memory_limit_mib = 512
  `);
  const noTls = { tlsCert: "", tlsKey: "", backendTls: false };
  assert.deepEqual(config, {
    database: { path: "srv/a.db" },
    state: { source: "file" },
    listeners: [{
      addr: "[2001:db8::1]:8443",
      proxyProtocol: true,
      maxConnections: 1000,
      trustedProxies: ["10.0.0.1", "2001:db8::/32"],
      routes: [
        {
          hostname: "*.xn--bcher-kva.example",
          backend: "backend.internal:443",
          mode: "l4",
          ...noTls,
          sendProxyProtocol: true,
          backendProtocol: "h2",
          backendServerName: "backend.example",
          allowedIps: ["2001:db8::1"],
          allowedCidrs: ["192.0.2.0/24"],
          policies: [{ type: "block_user_agent", value: "/bot$/" }],
        },
        { hostname: "host.example", backend: "", mode: "mtls", ...noTls, sendProxyProtocol: false },
      ],
    }],
    grpc: { addr: "/srv/a.sock" },
    firewall: {
      blockedIps: ["192.0.2.1", "2001:db8::"],
      blockedCidrs: ["10.0.0.0/8"],
      blockedCountries: [],
      allowedIps: ["192.0.2.9"],
      allowedCidrs: ["10.1.0.0/16", "2001:db8::/32"],
      allowedCountries: [],
      allowedSkipRateLimit: true,
      rateLimit: 20,
      ipv6Prefix: 56,
      ipv6SiteFactor: 4,
      maxConnectionsPerSource: 100,
      rateWindowMs: 60_000,
    },
    bans: [{ on: ["no_route", "policy"], count: 20, withinMs: 60_000, forMs: 3_600_000 }],
    history: { path: "srv/history.db", days: 3, megabytes: 64 },
    proxy: { connectTimeoutMs: 300, idleTimeoutMs: 120_000, shutdownTimeoutMs: 3_600_000 },
    resolver: { servers: ["192.0.2.53:53", "[2001:db8::53]:53", "192.0.2.54:5353"] },
    l7: {
      h2Transport: "node",
      accessLog: false,
      refuseUnderscores: false,
      trustedForwarding: ["2001:db8::/32", "192.0.2.1"],
      errorPages: [],
      requestTrailers: ["x-sum"],
      limits: {
        maxRequestHead: 16_384,
        maxResponseHead: 131_072,
        maxFields: 100,
        maxTrailers: 512,
        maxChunkOverhead: 1_048_576,
        contentBuffer: 32_768,
        headerTimeoutMs: 5000,
        keepAliveTimeoutMs: 60_000,
        maxRequests: 1000,
        maxInterim: 4,
        maxInterimForwarded: 2,
      },
    },
    log: { level: "debug", format: "json" },
    server: { workers: 0, sockets: "node", memoryLimitMib: 512 },
  });
});

Deno.test("loadConfig() reports every problem at once, in the order of the file", () => {
  assert.deepEqual(
    problemsOf(`[listeners]
[grpc]
adr = "/x"
[firewall]
rate_limit = -1
blocked_ips = ["10.0.0.1", "nope", "::ffff:10.0.0.1"]
[proxy]
idle_timeout = "1"
[log]
level = "wran"
colour = true
[sever]
`),
    [
      "1:1: database.path: is missing",
      "1:2: listeners: a table instead of an array of tables",
      "2:2: grpc.addr: is missing",
      "3:1: grpc.adr: unknown key; did you mean addr?",
      "5:1: firewall.rate_limit: -1 is not in 0–65535",
      '6:28: firewall.blocked_ips[1]: "nope" is invalid: not an IPv4 or IPv6 address',
      '6:36: firewall.blocked_ips[2]: "10.0.0.1" repeats firewall.blocked_ips[0]',
      '8:1: proxy.idle_timeout: "1" is not a duration such as "300ms", "5s", "2m" or "1h"',
      '10:1: log.level: "wran" is not one of debug, info, warn, error; did you mean "warn"?',
      "11:1: log.colour: unknown key",
      "12:2: sever: unknown key; did you mean server?",
    ],
  );
});

Deno.test("loadConfig() points at the key inside nested arrays of tables", () => {
  const text = withRoute(`[[listeners.routes]]
hostname = "b.example"
backend = "10.0.0.2:443"
  mode = "l5"`);
  assert.deepEqual(problemsOf(text), [
    '10:3: listeners[0].routes[1].mode: "l5" is not one of l4, l7, mtls; did you mean "l4"?',
  ]);
});

Deno.test("loadConfig() reports bad TOML with line and column on one line", () => {
  assert.deepEqual(problemsOf('[database]\npath = "a"x\n'), [
    "2:11: not valid TOML: each key-value declaration must be followed by an end-of-line",
  ]);
});

Deno.test("loadConfig() reports a key that is given twice", () => {
  assert.match(problemsOf("a = 1\na = 2\n")[0] ?? "", /^2:\d+: not valid TOML: /);
});

Deno.test.each([
  ['database.path = ""', 'database.path: "" is invalid: the path is empty'],
  ['database.path = "a\\u0000"', 'database.path: "a\\u0000" is invalid: a path cannot hold a NUL'],
  ["database.path = 1", "database.path: an integer instead of a string"],
  ["database.path = 1979-05-27", "database.path: a date or time instead of a string"],
  ['database = "/srv/a.db"', "database: a string instead of a table"],
  ["__proto__.x = 1\ndatabase.path = 'a'", "__proto__: unknown key"],
  ["'data base'.x = 1\ndatabase.path = 'a'", '"data base": unknown key; did you mean database?'],
])("loadConfig() refuses %j", (text, problem) => {
  const problems = problemsOf(text);
  assert(problems.some((line) => line.endsWith(`: ${problem}`)), problems.join("\n"));
});

Deno.test.each([
  ["[server]\nworkers = 1.0", "3:1: server.workers: a float instead of an integer"],
  [
    '[server]\nworkers = "4"',
    "3:1: server.workers: a string instead of an integer; did you mean 4?",
  ],
  ["[server]\nworkers = 257", "3:1: server.workers: 257 is not in 0–256"],
  [
    "[server]\nworkers = 9223372036854775807",
    "3:1: server.workers: 9223372036854775807 is not in 0–256",
  ],
  ["[server]\nworkers = true", "3:1: server.workers: a boolean instead of an integer"],
  [
    "[server]\nconnect_timeout = '5s'",
    "3:1: server.connect_timeout: belongs in [[listeners.routes]] or [proxy]",
  ],
  [
    "[proxy]\naddr = ':1'",
    "3:1: proxy.addr: belongs in [[listeners]] or [[listeners.routes.backends]] or [[listeners.routes.paths.backends]] or [grpc] or [metrics]",
  ],
  ["[firewall]\nroutes = 1", "3:1: firewall.routes: unknown key"],
  ["[log]\nlevel = ['info']", "3:1: log.level: an array instead of a string"],
  [
    "[log]\nlevel = 'INFO'",
    '3:1: log.level: "INFO" is not one of debug, info, warn, error; did you mean "info"?',
  ],
  [
    "[grpc]\naddr = '" + "a".repeat(108) + "'",
    `3:1: grpc.addr: "${"a".repeat(80)}…" is invalid: the path is over 107 octets`,
  ],
  [
    "[grpc]\naddr = '127.0.0.1:24500'",
    '3:1: grpc.addr: "127.0.0.1:24500" is invalid: it is an address, and the admin API is a Unix ' +
    'socket, such as "/srv/mc-proxy/mc-proxy.sock"',
  ],
  [
    "[grpc]\naddr = ':24500'",
    '3:1: grpc.addr: ":24500" is invalid: it is an address, and the admin API is a Unix socket, ' +
    'such as "/srv/mc-proxy/mc-proxy.sock"',
  ],
  [
    "[metrics]\naddr = 9100",
    '3:1: metrics.addr: an integer instead of a string; did you mean "127.0.0.1:9100"?',
  ],
  ["[metrics]\naddr = 91000", "3:1: metrics.addr: an integer instead of a string"],
  ["grpc = {}", "2:1: grpc.addr: is missing"],
  [
    "[firewall]\nallow_cidrs = []",
    "3:1: firewall.allow_cidrs: unknown key; did you mean allowed_cidrs?",
  ],
  [
    "[firewall]\nallowed_countries = ['nl']",
    "2:2: firewall.geoip_db: is missing: allowed_countries needs it",
  ],
  [
    "[firewall]\nblock_cidrs = []",
    "3:1: firewall.block_cidrs: unknown key; did you mean blocked_cidrs?",
  ],
  [
    "[firewall]\nblocked_countries = ['UK']",
    '3:22: firewall.blocked_countries[0]: "UK" is invalid: ISO 3166-1 has no country UK; did you ' +
    "mean GB?",
  ],
  [
    "[firewall]\nblocked_cidrs = ['192.0.2.1']",
    '3:18: firewall.blocked_cidrs[0]: "192.0.2.1" is invalid: it has no prefix length; ' +
    "192.0.2.1/32 is this address alone",
  ],
  [
    "[firewall]\nblocked_ips = '10.0.0.1'",
    "3:1: firewall.blocked_ips: a string instead of an array",
  ],
  [
    "[firewall]\nblocked_ips = [1]",
    "3:16: firewall.blocked_ips[0]: an integer instead of a string",
  ],
  [
    "[firewall]\nblocked_cidrs = ['10.0.0.1/8']",
    '3:18: firewall.blocked_cidrs[0]: "10.0.0.1/8" is invalid: host bits are set; did you mean 10.0.0.0/8?',
  ],
  [
    "[firewall]\nblocked_countries = ['de']",
    "2:2: firewall.geoip_db: is missing: blocked_countries needs it",
  ],
  ["[firewall]\ngeoip_db = '/a.mmdb'", '3:1: firewall.geoip_db: "/a.mmdb" does not exist'],
  ["[firewall]\ngeoip_db = ''", '3:1: firewall.geoip_db: "" is invalid: the path is empty'],
])("loadConfig() refuses %j", (text, problem) => {
  assert.deepEqual(problemsOf(withDatabase(text)), [problem]);
});

Deno.test.each([
  ['"300ms"', 300],
  ['"5s"', 5_000],
  ['"2m"', 120_000],
  ['"1h"', 3_600_000],
  ['"168h"', 604_800_000],
  ['"100ms"', 100],
  ['"7d"', 604_800_000],
  ['"1w"', 604_800_000],
])("loadConfig() reads the duration %s", (text, ms) => {
  assert.equal(configOf(withDatabase(`proxy.idle_timeout = ${text}`)).proxy.idleTimeoutMs, ms);
});

Deno.test.each([
  ["300", '300 has no unit; did you mean "300s"?'],
  ["1.5", 'a float instead of a duration such as "5s"'],
  ['"99ms"', '"99ms" is not in the range 100ms to 168h'],
  ['"169h"', '"169h" is not in the range 100ms to 168h'],
  ...["", "s", "5", "5 s", " 5s", "5S", "-5s", "+5s", "05s", "1.5s", "1h30m", "1y", "5s\\n", "٥s"]
    .map(
      (text) =>
        [`"${text}"`, `"${text}" is not a duration such as "300ms", "5s", "2m" or "1h"`] as const,
    ),
])("loadConfig() refuses the duration %s", (text, problem) => {
  assert.deepEqual(problemsOf(withDatabase(`proxy.idle_timeout = ${text}`)), [
    `2:7: proxy.idle_timeout: ${problem}`,
  ]);
});
