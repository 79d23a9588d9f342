import assert from "node:assert/strict";
import { loadConfig } from "../../../lib/config/mod.ts";
import { formatProblem } from "../../../lib/schema/mod.ts";

/** What comes of a table of that text, or why not. */
function load(publish: string) {
  const text = `database.path = "/a.db"
[mcns]
server = "https://localhost:8444"
dns = "127.0.0.1"
token_file = "/token"
zones = ["a.example"]
${publish}
[[listeners]]
addr = ":443"
`;
  const result = loadConfig(text, { readFile: () => new TextEncoder().encode("token") });
  if (result.ok) return result.config.mcns?.publish;
  return result.problems.map((it) => formatProblem("", it).slice(1));
}

Deno.test("[mcns.publish] takes addresses in any spelling, and is not there unless asked for", () => {
  assert.deepEqual(load('publish.addresses = ["2001:DB8:0::7", "192.0.2.1"]'), {
    addresses: ["2001:db8::7", "192.0.2.1"],
    ttlMs: 300_000,
  });
  assert.equal(load(""), undefined);
});

Deno.test("[mcns.publish] refuses what no client can be led to", () => {
  for (
    const [publish, reason] of [
      ["publish.addresses = []", /mcns\.publish\.addresses: names no address/],
      ["publish = {}", /mcns\.publish.*addresses/],
      ['publish.addresses = ["0.0.0.0"]', /addresses\[0\].*nobody can be reached there/],
      ['publish.addresses = ["::"]', /addresses\[0\].*nobody can be reached there/],
      ['publish.addresses = ["a.example"]', /addresses\[0\]/],
      ['publish = { addresses = ["192.0.2.1"], ttl = "10ms" }', /publish\.ttl/],
    ] as const
  ) {
    const found = load(publish);
    assert(Array.isArray(found), publish);
    assert.match(found.join("\n"), reason);
  }
});
