import assert from "node:assert/strict";
import { join } from "node:path";
import { demoConfig, demoPorts } from "../../../dev/demo.ts";
import { formatProblem, loadConfig, type LoadResult } from "../../../lib/config/mod.ts";
import { createServerIdentity } from "../../support/certificates.ts";
import { ROOT } from "../../support/module_graph.ts";

const { certPem, keyPem, ca } = await createServerIdentity(
  "www.example.net",
  "*.localhost",
  "*.connect.localhost",
);

/** Loads a configuration whose certificates and keys exist, and without GeoIP. */
function load(text: string): LoadResult {
  const encoder = new TextEncoder();
  const readFile = (path: string) => {
    if (path.endsWith(".key")) return encoder.encode(keyPem);
    if (path.endsWith(".token")) return encoder.encode("a-token");
    return encoder.encode(path.endsWith("/ca.pem") ? ca : certPem);
  };
  return loadConfig(text.replaceAll(/^(geoip_db|blocked_countries) = .*$/gm, ""), { readFile });
}

function complaints(result: LoadResult): string[] {
  const problems = result.ok ? result.warnings : result.problems;
  return problems.map((problem) => formatProblem("config", problem));
}

for (const name of ["public-edge.toml", "public-edge-acme.toml", "edge.toml", "origin.toml"]) {
  Deno.test(`deploy/examples/${name} is accepted without a warning`, async () => {
    const text = await Deno.readTextFile(join(ROOT, "deploy/examples", name));
    assert.deepEqual(complaints(load(text)), []);
  });
}

Deno.test("what public-edge.toml has commented out is accepted too", async () => {
  const text = await Deno.readTextFile(join(ROOT, "deploy/examples/public-edge.toml"));
  const settings = /^(\s*)# (\[|[a-z_]+ = )/gm;
  assert.deepEqual(complaints(load(text.replaceAll(settings, "$1$2"))), []);
});

Deno.test("the development server's configuration is accepted without a warning", () => {
  assert.deepEqual(complaints(load(demoConfig(demoPorts(8443), "srv"))), []);
});
