import assert from "node:assert/strict";
import { loadConfig } from "../../../lib/config/mod.ts";

const ROUTE = `[database]
path = "a.db"
[[listeners]]
addr = ":443"
[[listeners.routes]]
hostname = "a.example"
backend = "10.0.0.1:80"
`;

function load(route: string, files: Record<string, string> = {}) {
  const result = loadConfig(ROUTE + route, {
    readFile: (path) => new TextEncoder().encode(files[path] ?? ""),
  });
  const problems = result.ok ? result.warnings : result.problems;
  return { ok: result.ok, messages: problems.map(({ key, message }) => `${key}: ${message}`) };
}

Deno.test("loadConfig() refuses a policy whose pattern does not compile", () => {
  const { ok, messages } = load(`
[[listeners.routes.policies]]
type = "block_user_agent"
value = "/(bot/"
`);
  assert.equal(ok, false);
  assert.match(
    messages.join("\n"),
    /policies.*value: "\/\(bot\/" is invalid: .*missing closing \)/,
  );
});

Deno.test("loadConfig() refuses a policy that requires what is no header name", () => {
  const { ok, messages } = load(`
[[listeners.routes.policies]]
type = "require_header"
value = "not a name"
`);
  assert.equal(ok, false);
  assert.match(messages.join("\n"), /is invalid: not the name of a header field/);
});

Deno.test("loadConfig() refuses a backend_ca without a certificate", () => {
  const { ok, messages } = load(`backend_tls = true\nbackend_ca = "ca.pem"\n`, { "ca.pem": "x" });
  assert.equal(ok, false);
  assert.match(messages.join("\n"), /backend_ca: "ca\.pem": holds no certificate/);
});

Deno.test("loadConfig() warns of TLS settings of a backend that is spoken to without TLS", () => {
  const { ok, messages } = load("backend_tls_verify = true\n");
  assert.equal(ok, true);
  assert.match(messages.join("\n"), /backend_tls_verify: ignored without backend_tls/);
});

Deno.test("loadConfig() refuses what is no address and no field name in [l7]", () => {
  const { ok, messages } = load(`
[l7]
trusted_forwarding = ["10.0.0.1/8", "a.test"]
request_trailers = ["not a name"]
`);
  assert.equal(ok, false);
  assert.match(messages.join("\n"), /trusted_forwarding\[0\]: .*host bits/s);
  assert.match(messages.join("\n"), /trusted_forwarding\[1\]/);
  assert.match(messages.join("\n"), /request_trailers\[0\]: .*not the name of a header field/);
});

for (
  const [name, more, warns] of [
    ["X_Api_Key", "", /policies\[0\]\.value: no request passes: those with `_`/],
    ["x_api_key", "[l7]\nrefuse_underscores = false\n", undefined],
    ["Transfer-Encoding", "", /policies\[0\]\.value: no request passes: this field belongs to/],
    ["x-api-key", "", undefined],
  ] as const
) {
  Deno.test(`loadConfig() ${warns ? "warns" : "is silent"} of a required ${name} ${more}`, () => {
    const { ok, messages } = load(`
[[listeners.routes.policies]]
type = "require_header"
value = "${name}"
${more}`);
    assert.ok(ok);
    const told = messages.filter((message) => message.includes("no request passes"));
    if (warns === undefined) assert.deepEqual(told, []);
    else assert.match(told.join("\n"), warns);
  });
}
