import assert from "node:assert/strict";
import { join } from "node:path";
import { runCommand } from "./commands.ts";
import { ROOT } from "./module_graph.ts";

interface Module {
  readonly specifier: string;
  readonly dependencies?: readonly {
    readonly code?: { readonly specifier?: string };
    readonly isDynamic?: boolean;
  }[];
}

/** Modules that are loaded before a program of the tree runs, by their specifiers, types included. */
export async function modulesLoadedBy(program: string): Promise<ReadonlySet<string>> {
  const args = ["info", "--json", "--config", join(ROOT, "deno.json"), join(ROOT, program)];
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
  return loaded;
}
