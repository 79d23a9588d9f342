import assert from "node:assert/strict";
import { loadConfig } from "../../../lib/config/mod.ts";

const DATABASE = '[database]\npath = "a.db"\n';

function load(text: string) {
  const result = loadConfig(`${DATABASE}${text}`);
  return result.ok ? result.config : result.problems.map(({ message }) => message);
}

function metricsAddr(addr: string) {
  const config = load(`[metrics]\naddr = ${JSON.stringify(addr)}\n`);
  return Array.isArray(config) ? config : config.metrics?.addr;
}

Deno.test("loadConfig() leaves metrics off when there is no such section", () => {
  const config = load("");
  assert(!Array.isArray(config));
  assert.equal(config.metrics, undefined);
});

for (
  const [given, wanted] of [
    ["127.0.0.1:9100", "127.0.0.1:9100"],
    ["[::1]:9100", "[::1]:9100"],
    [":0", ":0"],
    ["/run/mc-proxy/metrics.sock", "/run/mc-proxy/metrics.sock"],
    ["srv/metrics.sock", "srv/metrics.sock"],
  ] as const
) {
  Deno.test(`loadConfig() takes metrics at ${given}`, () => {
    assert.equal(metricsAddr(given), wanted);
  });
}

for (const wrong of ["", "127.0.0.1", "localhost:9100", "a/\0", `/${"x".repeat(107)}`]) {
  Deno.test(`loadConfig() refuses metrics at ${JSON.stringify(wrong.slice(0, 20))}`, () => {
    assert.equal(metricsAddr(wrong)?.length, 1);
  });
}

Deno.test("loadConfig() refuses metrics on the address of a listener", () => {
  const text = '[[listeners]]\naddr = ":9100"\n[metrics]\naddr = "127.0.0.1:9100"\n';
  assert.deepEqual(load(text), ['"127.0.0.1:9100" overlaps listeners[0].addr ":9100"']);
});
