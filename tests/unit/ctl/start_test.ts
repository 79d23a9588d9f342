import assert from "node:assert/strict";
import { join } from "node:path";
import { runCommand } from "../../support/commands.ts";
import { ROOT } from "../../support/module_graph.ts";

interface Module {
  readonly specifier: string;
  readonly dependencies?: readonly {
    readonly code?: { readonly specifier?: string };
    readonly isDynamic?: boolean;
  }[];
}

Deno.test("mcproxyctl --help loads neither gRPC nor protobuf", async () => {
  const entry = join(ROOT, "lib/cli/mcproxyctl.ts");
  const args = ["info", "--json", "--config", join(ROOT, "deno.json"), entry];
  const { code, stdout, stderr } = await runCommand(Deno.execPath(), args);
  assert.equal(code, 0, stderr);
  const graph = JSON.parse(stdout) as { roots: string[]; modules: Module[] };
  const modules = new Map(graph.modules.map((module) => [module.specifier, module]));
  const loaded = new Set(graph.roots);
  for (const specifier of loaded) {
    for (const { code, isDynamic } of modules.get(specifier)?.dependencies ?? []) {
      if (code?.specifier !== undefined && isDynamic !== true) loaded.add(code.specifier);
    }
  }
  assert.ok(loaded.size > 10);
  assert.deepEqual([...loaded].filter((it) => /grpc|protobuf|lib\/client/.test(it)), []);
});
