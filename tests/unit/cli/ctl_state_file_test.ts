import assert from "node:assert/strict";
import { create, toJson } from "@bufbuild/protobuf";
import { durationFromMs, timestampFromMs } from "@bufbuild/protobuf/wkt";
import { StateSchema } from "../../../lib/admin/gen/mod.ts";
import { readStateFile, writeStateFile } from "../../../lib/cli/ctl/state_file.ts";

const STATE = create(StateSchema, {
  listeners: {
    listeners: [
      {
        listener: {
          addr: ":443",
          proxyProtocol: true,
          maxConnections: 9,
          trustedProxies: ["10.0.0.0/8"],
        },
        routes: [
          { route: { hostname: "a.example", backend: "b:1", mode: "l4", backendProtocol: "auto" } },
          {
            route: {
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
            },
            policies: [{ type: "block_user_agent", value: '/"bot"$/' }],
          },
        ],
      },
      { listener: { addr: ":80" } },
    ],
  },
  firewall: {
    rules: [
      { type: "ip", value: "192.0.2.1", reason: "it's \\ bad", expiresAt: timestampFromMs(9e12) },
      { type: "country", value: "NL" },
    ],
  },
  rateLimit: { limit: 5, window: durationFromMs(1500) },
});

Deno.test("readStateFile() reads what writeStateFile() writes", () => {
  const read = create(StateSchema, readStateFile(writeStateFile(STATE)));
  // Empty and the default mean the same to the proxy.
  const first = read.listeners?.listeners[0]?.routes[0]?.route;
  assert.equal(first?.mode, "");
  if (first !== undefined) Object.assign(first, { mode: "l4", backendProtocol: "auto" });
  assert.deepEqual(toJson(StateSchema, read), toJson(StateSchema, STATE));
});

Deno.test("a part that the file does not have stays absent, an empty one is empty", () => {
  assert.deepEqual(readStateFile(""), {});
  assert.deepEqual(readStateFile("firewall.rules = []"), { firewall: { rules: [] } });
  assert.deepEqual(readStateFile("firewall.rate_limit = 0"), { rateLimit: { limit: 0 } });
});

Deno.test("readStateFile() says where a file is wrong", () => {
  const cases = [
    ["[[listener]]", /^listener: unknown key$/],
    ['[[listeners]]\naddr = ":1"\nports = 1', /^listeners\[0\]\.ports: unknown key$/],
    ["[[listeners]]\naddr = 443", /^listeners\[0\]\.addr: not a string$/],
    ["listeners = 1", /^listeners: not an array of tables$/],
    [
      "[[firewall.rules]]\nexpires_at = 2026-01-01",
      /^firewall\.rules\[0\]\.expires_at: not a date/,
    ],
    ["[firewall]\nrate_limit = -1", /^firewall\.rate_limit: not a whole number$/],
    ["[firewall]\nrate_limit = 1\nrate_window = '1y'", /not a duration/],
    ["a = = 1", /^line 1, column [0-9]+: /],
    ["[[listeners]]\n__proto__ = 1", /__proto__/],
  ] as const;
  for (const [text, message] of cases) {
    assert.throws(() => readStateFile(text), { code: "usage", message }, text);
  }
});
