import assert from "node:assert/strict";
import { loadConfig, renderConfigReference } from "../../../lib/config/mod.ts";
import { createServerIdentity } from "../../support/certificates.ts";

Deno.test("docs/config.md is what `deno task reference` writes", () => {
  const file = new URL("../../../docs/config.md", import.meta.url);
  assert.equal(Deno.readTextFileSync(file), renderConfigReference());
});

Deno.test("renderConfigReference() gives bounds and defaults as they are written in TOML", () => {
  const page = renderConfigReference();
  for (
    const line of [
      "## `[[listeners.routes]]`",
      "### `connect_timeout`",
      'Duration from 10ms to 5m; default `"5s"`.',
      'Duration from 100ms to 168h; default `"5m"`.',
      "Integer from 0 to 256; optional.",
      '`"l4"`, `"l7"` or `"mtls"`; default `"l4"`.',
    ]
  ) assert(page.split("\n").includes(line), line);
});

Deno.test("the example of docs/config.md loads without a warning", async () => {
  const { certPem, keyPem } = await createServerIdentity("*.apps.example.net");
  const [, example = ""] = /```toml\n([^]*?)```/.exec(renderConfigReference()) ?? [];
  const readFile = (path: string) =>
    new TextEncoder().encode(path.endsWith(".key") ? keyPem : certPem);
  const result = loadConfig(example, { readFile });
  assert(result.ok, JSON.stringify(result));
  assert.deepEqual(result.warnings, []);
  assert.equal(result.config.listeners[0]?.routes.length, 2);
});
