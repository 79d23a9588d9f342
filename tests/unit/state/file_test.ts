import assert from "node:assert/strict";
import { formatProblem } from "../../../lib/schema/mod.ts";
import { readStateFile, type State, writeStateFile } from "../../../lib/state/mod.ts";

const PLAIN = {
  mode: "l4",
  tlsCert: "",
  tlsKey: "",
  backendTls: false,
  sendProxyProtocol: false,
} as const;

const STATE: State = {
  listeners: [
    {
      addr: ":443",
      proxyProtocol: true,
      maxConnections: 9,
      trustedProxies: ["10.0.0.0/8"],
      routes: [
        { hostname: "a.example", backend: "b:1", ...PLAIN },
        {
          hostname: "*.example",
          backend: "[::1]:2",
          mode: "l7",
          tlsCert: "/c",
          tlsKey: "/k",
          backendTls: true,
          sendProxyProtocol: true,
          backendProtocol: "h2",
          backendTlsVerify: true,
          backendCa: "/ca",
          backendServerName: "n",
          policies: [{ type: "block_user_agent", value: '/"bot"$/' }],
        },
      ],
    },
    { addr: ":80", proxyProtocol: false, maxConnections: 0, trustedProxies: [], routes: [] },
  ],
  rules: [
    { type: "ip", value: "192.0.2.1", reason: "it's \\ bad", expiresAt: 9e12 },
    { type: "country", value: "NL", reason: "" },
  ],
  rateLimit: { limit: 5, windowMs: 1500 },
};

Deno.test("readStateFile() reads what writeStateFile() writes", () => {
  assert.deepEqual(readStateFile(writeStateFile(STATE)), { ok: true, state: STATE });
});

Deno.test("writeStateFile() leaves out what has its default", () => {
  assert.equal(
    writeStateFile({ listeners: STATE.listeners?.slice(1) ?? [] }),
    '[[listeners]]\naddr = ":80"\n\n[firewall]\nrate_limit = 0\nrules = []\n',
  );
});

Deno.test("a part that the file does not have stays absent, an empty one is empty", () => {
  const state = (text: string) => {
    const read = readStateFile(text);
    assert.ok(read.ok);
    return read.state;
  };
  assert.deepEqual(state(""), {});
  assert.deepEqual(state("firewall.rules = []"), { rules: [] });
  assert.deepEqual(state("firewall.rate_limit = 0"), { rateLimit: { limit: 0, windowMs: 0 } });
});

Deno.test.each([
  ["[[listener]]", "1:3: listener: unknown key; did you mean listeners?"],
  [
    '[[listeners]]\naddr = ":1"\nports = 1',
    "3:1: listeners[0].ports: unknown key",
  ],
  [
    "[[listeners]]\naddr = 443",
    '2:1: listeners[0].addr: an integer instead of a string; did you mean ":443"?',
  ],
  ["listeners = 1", "1:1: listeners: an integer instead of an array of tables"],
  [
    "[[firewall.rules]]\ntype = 'ip'\nvalue = '::1'\nexpires_at = 2026-01-01",
    "4:1: firewall.rules[0].expires_at: a date or time instead of a date and time with an offset",
  ],
  ["[firewall]\nrate_limit = -1", "2:1: firewall.rate_limit: -1 is not in 0–65535"],
  ["[firewall]\nrate_limit = 1", "1:2: firewall.rate_window: is missing: rate_limit needs it"],
  [
    "[firewall]\nrate_limit = 1\nrate_window = '1y'",
    '3:1: firewall.rate_window: "1y" is not a duration such as "300ms", "5s", "2m" or "1h"',
  ],
  [
    "[[firewall.rules]]\ntype = 'ip'\nvalue = 'x'",
    '3:1: firewall.rules[0].value: "x" is invalid: not an IPv4 or IPv6 address',
  ],
  ["[[listeners]]\naddr = ':1'\n__proto__ = 1", "3:1: listeners[0].__proto__: unknown key"],
])("readStateFile() says where %j is wrong", (text, problem) => {
  const read = readStateFile(text);
  const problems = read.ok ? [] : read.problems.map((it) => formatProblem("", it).slice(1));
  assert.ok(problems.includes(problem), problems.join("\n"));
});

Deno.test("readStateFile() says what is no TOML, and everything that is wrong at once", () => {
  const broken = readStateFile("a = = 1");
  assert.ok(!broken.ok && /^not valid TOML/.test(broken.problems[0]?.message ?? ""));
  const many = readStateFile("[[listeners]]\naddr = 1\n[[listeners]]\naddr = 2\n");
  assert.equal(many.ok ? 0 : many.problems.length, 2);
});
