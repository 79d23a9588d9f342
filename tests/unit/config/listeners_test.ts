import assert from "node:assert/strict";
import {
  configOf,
  problemsOf,
  warningsOf,
  withDatabase,
  withRoute,
} from "../../support/configs.ts";

/** What `mc-proxy hash-password` writes. */
const HASH = `$scrypt$ln=15,r=8,p=1$${"A".repeat(22)}$${"B".repeat(43)}`;

Deno.test.each([
  [
    "proxy_protocol = 'true'",
    "proxy_protocol: a string instead of true or false; did you mean true?",
  ],
  ["proxy_protocol = 1", "proxy_protocol: an integer instead of true or false"],
  ["proxyProtocol = true", "proxyProtocol: unknown key; did you mean proxy_protocol?"],
  ["max_conections = 1", "max_conections: unknown key; did you mean max_connections?"],
  ["routes = [1]", "routes[0]: an integer instead of a table"],
  ["[listeners.routes]", "routes: a table instead of an array of tables"],
])("loadConfig() refuses %j in a listener", (text, problem) => {
  const problems = problemsOf(withDatabase(`[[listeners]]\naddr = ":443"\n${text}`));
  assert(problems.some((line) => line.endsWith(`: listeners[0].${problem}`)), problems.join("\n"));
});

Deno.test.each([
  ["443", "the port is missing"],
  [":65536", "the port is not in 0–65535"],
  [":0443", "the port is not a number"],
  ["localhost:443", "the host is not an IP address or empty"],
  ["::1:443", "an IPv6 address needs brackets"],
])("loadConfig() refuses the listener %s", (addr, reason) => {
  assert.deepEqual(problemsOf(withDatabase(`[[listeners]]\naddr = "${addr}"`)), [
    `3:1: listeners[0].addr: "${addr}" is invalid: ${reason}`,
  ]);
});

Deno.test.each([
  [":443", ":443", "repeats listeners[0].addr"],
  ["[::1]:443", "[0::1]:443", "repeats listeners[0].addr"],
  [":443", "0.0.0.0:443", 'overlaps listeners[0].addr ":443"'],
  ["0.0.0.0:443", ":443", 'overlaps listeners[0].addr "0.0.0.0:443"'],
  [":443", "[::]:443", 'overlaps listeners[0].addr ":443"'],
  [":443", "192.0.2.1:443", 'overlaps listeners[0].addr ":443"'],
  ["0.0.0.0:443", "192.0.2.1:443", 'overlaps listeners[0].addr "0.0.0.0:443"'],
  ["[2001:db8::1]:443", "[::]:443", 'overlaps listeners[0].addr "[2001:db8::1]:443"'],
  ["[::]:443", "192.0.2.1:443", 'overlaps listeners[0].addr "[::]:443"'],
])("loadConfig() refuses the listeners %s and %s together", (first, second, problem) => {
  const problems = problemsOf(
    withDatabase(`[[listeners]]\naddr = "${first}"\n[[listeners]]\naddr = "${second}"`),
  );
  assert.equal(problems.length, 1);
  assert.match(problems[0] ?? "", /^5:1: listeners\[1\]\.addr: /);
  assert.ok(problems[0]?.endsWith(problem), problems.join("\n"));
});

Deno.test.each([
  [":443", ":8443"],
  ["192.0.2.1:443", "192.0.2.2:443"],
  ["0.0.0.0:443", "[2001:db8::1]:443"],
  [":0", ":0"],
])("loadConfig() takes the listeners %s and %s together", (first, second) => {
  const text = `[[listeners]]\naddr = "${first}"\n[[listeners]]\naddr = "${second}"`;
  assert.equal(configOf(withDatabase(text)).listeners.length, 2);
});

Deno.test("loadConfig() refuses a hostname twice in one listener, after canonicalisation", () => {
  const again = `[[listeners.routes]]\nhostname = "A.EXAMPLE."\nbackend = "10.0.0.2:443"`;
  assert.deepEqual(problemsOf(withRoute(again)), [
    '8:1: listeners[0].routes[1].hostname: "a.example" repeats listeners[0].routes[0]',
  ]);
});

Deno.test("loadConfig() takes a hostname in two listeners", () => {
  const other = `[[listeners]]\naddr = ":8443"\n[[listeners.routes]]\nhostname = "a.example"\n` +
    `backend = "10.0.0.2:443"`;
  assert.equal(configOf(withRoute(other)).listeners.length, 2);
});

Deno.test.each([
  ["", "is invalid: the name is empty"],
  ["10.0.0.1", "is invalid: an IP address is not a hostname"],
  ["a.*.example", 'is invalid: "*" is allowed only as the whole first label'],
  [
    "*",
    'is for a default route, with default = true; a wildcard is for names below one: "*.example.net"',
  ],
  ["a b", 'is invalid: the character " " (a space) is not allowed in names'],
  ["a$b", 'is invalid: the character "$" is not allowed in names'],
  ["a.example:443", 'is invalid: the character ":" is not allowed in names'],
  ["é/b", 'is invalid: the character "/" is not allowed in names'],
])("loadConfig() refuses the hostname %j", (hostname, problem) => {
  const route = `[[listeners.routes]]\nhostname = "${hostname}"\nbackend = "10.0.0.2:443"`;
  assert.deepEqual(problemsOf(withRoute(route)), [
    `8:1: listeners[0].routes[1].hostname: "${hostname}" ${problem}`,
  ]);
});

Deno.test.each([
  ['hostname = "*"\ndefault = true', []],
  ['hostname = "b.example"\ndefault = true', []],
  ['hostname = "*"\ndefault = true\nmode = "mtls"', [
    "default: is too much: mtls takes the host of the name",
  ]],
  ['hostname = "*"\ndefault = true\ntls_cert = "acme"', [
    'tls_cert: is invalid: no authority issues for "*"',
    'tls_cert: "acme" needs the section [acme], which is missing',
  ]],
])("loadConfig() takes or refuses the default route %j", (text, problems) => {
  const found = problemsOf(withRoute(`[[listeners.routes]]\n${text}\nbackend = "10.0.0.2:443"`));
  const said = found.map((it) => it.replace(/^.*routes\[1\]\./, ""));
  const expected: readonly string[] = problems;
  assert.deepEqual(said.filter((it) => expected.includes(it)), expected);
  assert.equal(found.length === 0, problems.length === 0, said.join("\n"));
});

Deno.test("loadConfig() refuses a second default route of a listener", () => {
  const route = (name: string) =>
    `[[listeners.routes]]\nhostname = "${name}"\nbackend = "10.0.0.2:443"\ndefault = true`;
  assert.deepEqual(problemsOf(withRoute(`${route("b.example")}\n${route("*")}`)), [
    "14:1: listeners[0].routes[2].default: repeats that of listeners[0].routes[1]",
  ]);
});

Deno.test.each([
  ["rate_limit = { requests = 10, per = '1s' }", undefined],
  ["rate_limit = { per = '1s' }", "rate_limit: limits nothing: give connections or requests"],
  ["rate_limit = { requests = 10 }", "rate_limit.per: is missing"],
  ["hsts = true", undefined],
  ["hsts = false", undefined],
  ["hsts = '180d'", undefined],
  ["hsts = 'forever'", 'hsts: "forever" is invalid: neither true nor a duration'],
  ["max_request_body = '1MiB'", undefined],
  [`basic_auth = { users = [{ name = 'a', hash = '${HASH}' }] }`, undefined],
  [
    "basic_auth = { users = [{ name = 'a', hash = 'hunter2' }] }",
    "basic_auth.users[0].hash: is not what",
  ],
  [`basic_auth = { users = [{ name = 'a:b', hash = '${HASH}' }] }`, "basic_auth.users[0].name"],
  [`basic_auth = { realm = 'a\\"b' }`, "basic_auth.realm"],
  ["forward_auth = { url = 'http://10.0.0.1:9091/verify', headers = ['Remote-User'] }", undefined],
  ["forward_auth = { url = 'https://auth.example' }", undefined],
  ["error_pages = [{ status = 503, body = 'soon' }]", undefined],
  ["error_pages = [{ status = 200, body = 'x' }]", "error_pages[0].status: 200 is not in 400–599"],
  ["error_pages = [{ status = 503 }]", "error_pages[0]: needs one of body and file"],
  [
    "error_pages = [{ status = 503, body = 'a' }, { status = 503, body = 'b' }]",
    "error_pages",
  ],
  [
    "paths = [{ prefix = '/a', backend = 'b.example:80' }, { exact = '/a', skip_auth = true }]",
    undefined,
  ],
  ["paths = [{ prefix = '/a' }, { prefix = '/a/' }]", "paths[1]: repeats prefix /a"],
  ["paths = [{ prefix = 'a' }]", "paths[0].prefix"],
  ["paths = [{ prefix = '/a/../b' }]", "paths[0].prefix"],
  ["paths = [{ exact = '/a%20b' }]", "paths[0].exact"],
  ["paths = [{ backend = 'b.example:80' }]", "paths[0]: needs one of prefix and exact"],
  ["forward_auth = { url = 'ftp://auth.example' }", "forward_auth.url"],
  ["forward_auth = { url = 'http://user@auth.example/' }", "forward_auth.url"],
  ["forward_auth = { url = 'http://auth.example/#x' }", "forward_auth.url"],
  [
    "forward_auth = { url = 'http://10.0.0.1', headers = ['X-Forwarded-For'] }",
    "forward_auth.headers",
  ],
  ["response_headers = { set = { 'X-A' = 'b' }, remove = ['Server'] }", undefined],
  ["response_headers = { set = ['X-A: b'] }", undefined],
  ["response_headers = { set = { 'X-A' = 1 } }", "response_headers.set"],
  ["response_headers = { set = { 'X-A' = 'b\\r\\nx: y' } }", "response_headers.set"],
  ["response_headers = { set = { 'X A' = 'b' } }", "response_headers.set"],
  ["response_headers = { set = { ':status' = '200' } }", "response_headers.set"],
  ["response_headers = { set = { 'X-\u00e4' = 'b' } }", "response_headers.set"],
  ...["Connection", "Content-Length", "Transfer-Encoding", "Upgrade", "TE", "Host", "Trailer"].map(
    (name) => [`response_headers = { remove = ['${name}'] }`, "response_headers.remove"] as const,
  ),
  ...["X-Forwarded-For", "X-Real-IP", "Forwarded", "Via", "X-Request-ID", "Keep-Alive"].map(
    (name) => [`request_headers = { set = { '${name}' = 'x' } }`, "request_headers.set"] as const,
  ),
])("loadConfig() takes or refuses in an l7 route: %s", (text, problem) => {
  const route = `[[listeners.routes]]\nhostname = "b.example"\nbackend = "10.0.0.2:443"\n` +
    `mode = "l7"\ntls_cert = "acme"\n${text.replaceAll("'", '"')}`;
  const found = problemsOf(withRoute(route)).filter((it) => !it.includes("[acme]"));
  if (problem === undefined) return assert.deepEqual(found, []);
  const said = found.map((it) => it.replace(/^.*routes\[1\]\./, ""));
  assert.ok(said.some((it) => it.startsWith(problem)), said.join("\n"));
});

Deno.test("loadConfig() refuses a limit of requests where there are none", () => {
  assert.deepEqual(problemsOf(withRoute('rate_limit = { requests = 10, per = "1s" }')), [
    '7:1: listeners[0].routes[0].rate_limit: is invalid: requests need mode = "l7"',
  ]);
});

Deno.test.each([
  ["status = 503", undefined],
  ["status = 404, body = 'gone', content_type = 'text/plain', retry_after = '1m'", undefined],
  ["body = 'x'", "status: is missing"],
  ["status = 199", "status: 199 is not in 200–599"],
  ["status = 204, body = 'x'", "body: is too much: an answer with 204 has no content"],
  ["status = 200, content_type = 'a\\r\\nb: c'", "content_type"],
  ["status = 200, content_type = 'plain'", "content_type"],
  [`status = 200, body = '${"x".repeat(16_385)}'`, "body"],
])("loadConfig() takes or refuses a fixed answer: %s", (respond, problem) => {
  const route = `[[listeners.routes]]\nhostname = "b.example"\nbackend = "10.0.0.2:443"\n` +
    `respond = { ${respond.replaceAll("'", '"')} }`;
  const found = problemsOf(withRoute(route));
  if (problem === undefined) return assert.deepEqual(found, []);
  assert.match(found[0] ?? "", new RegExp(`routes\\[1\\]\\.respond\\.${problem}`));
});

Deno.test.each([
  ["backend = ':443'", 'backend: ":443" is invalid: the host is missing'],
  ["backend = '10.0.0.1:0'", 'backend: "10.0.0.1:0" is invalid: the port is not in 1–65535'],
  ["backend = '10.0.0.1'", 'backend: "10.0.0.1" is invalid: the port is missing'],
  [
    "backend = 'https://10.0.0.1/'",
    'backend: "https://10.0.0.1/" is invalid: it is a URL, not host:port; did you mean ' +
    '"10.0.0.1:443" and backend_tls = true?',
  ],
  [
    "backend = 'http://b.example:8080/x'",
    'backend: "http://b.example:8080/x" is invalid: it is a URL, not host:port; did you mean ' +
    '"b.example:8080"?',
  ],
  ["backend = 'http://[/'", 'backend: "http://[/" is invalid: it is a URL, not host:port'],
  ["backend = 'a_*:1'", 'backend: "a_*:1" is invalid: the character "*" is not allowed in names'],
  ["backend = 'a:65536'", 'backend: "a:65536" is invalid: the port is not in 1–65535'],
  ["backend = 'a:100000'", 'backend: "a:100000" is invalid: the port is not in 1–65535'],
  ["backend = ''", 'backend: "" is invalid: the port is missing'],
  ["mode = 'l7'\nbackend = 'a'", 'backend: "a" is invalid: the port is missing'],
  ["", "backend: is missing"],
])("loadConfig() refuses a route with %j", (text, problem) => {
  const problems = problemsOf(
    withRoute(`[[listeners.routes]]\nhostname = "b.example"\n${text}`),
  );
  const wanted = `: listeners[0].routes[1].${problem}`;
  assert.equal(problems.filter((line) => line.endsWith(wanted)).length, 1, problems.join("\n"));
  assert.equal(problems.filter((line) => line.includes("backend")).length, 1);
});

Deno.test("loadConfig() warns of settings that do nothing", () => {
  const text = withRoute(`backend_tls = true
tls_cert = "/nowhere.pem"
tls_key = "/nowhere.key"
[[listeners.routes]]
hostname = "b.example"
mode = "mtls"
backend = "10.0.0.2:443"
backend_tls = true
[[listeners]]
addr = ":8443"
trusted_proxies = ["10.0.0.1"]
`);
  assert.deepEqual(warningsOf(text), [
    '7:1: listeners[0].routes[0].backend_tls: ignored with mode = "l4"',
    '8:1: listeners[0].routes[0].tls_cert: ignored with mode = "l4"',
    '9:1: listeners[0].routes[0].tls_key: ignored with mode = "l4"',
    "12:1: listeners[0].routes[1].mode: connections are refused without the section [connector]",
    '14:1: listeners[0].routes[1].backend_tls: ignored with mode = "mtls"',
    "17:1: listeners[1].trusted_proxies: ignored without proxy_protocol",
  ]);
});

Deno.test("loadConfig() warns of a listener where anybody may claim any address", () => {
  const listener = (trusted: string) =>
    withRoute("") + `[[listeners]]\naddr = ":8443"\nproxy_protocol = true\n${trusted}`;
  assert.deepEqual(warningsOf(listener("")), [
    "9:1: listeners[1].proxy_protocol: without trusted_proxies whoever connects may claim any address",
  ]);
  assert.deepEqual(warningsOf(listener('trusted_proxies = ["10.0.0.1"]\n')), []);
});

Deno.test("loadConfig() reads 10,000 routes, and reports 10,000 problems, without slowing down", () => {
  const routes = (backend: string) =>
    Array.from(
      { length: 10_000 },
      (_, i) => `[[listeners.routes]]\nhostname = "h${i}.example"\n${backend}\n`,
    ).join("");
  const listener = '[[listeners]]\naddr = ":443"\n';
  const config = configOf(withDatabase(listener + routes('backend = "10.0.0.1:443"')));
  assert.equal(config.listeners[0]?.routes.length, 10_000);
  assert.equal(problemsOf(withDatabase(listener + routes(""))).length, 10_000);
});

Deno.test("loadConfig() does not repeat what was given for the hash of a password", () => {
  const text = withRoute('basic_auth = { users = [{ name = "a", hash = "hunter2" }] }');
  assert.equal(problemsOf(text).join("").includes("hunter2"), false);
});
