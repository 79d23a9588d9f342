/**
 * Which module of the program imports which, as Deno itself sees it, and the rules that hold.
 *
 * @module
 */
import assert from "node:assert/strict";
import { dirname, join, relative } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { runCommand } from "./commands.ts";

/** The root of the checkout. */
export const ROOT = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");

/** The layers, lowest first: a folder of `lib` imports folders of lower layers only. */
export const LAYERS: readonly (readonly string[])[] = [
  ["addr", "wire", "observe", "http"],
  [
    "sni",
    "proxyproto",
    "firewall",
    "policy",
    "h2",
    "h1",
    "upstream",
    "schema",
    "dns",
    "hitters",
    "balance",
  ],
  ["state", "zones", "tsig"],
  ["routes", "transfer", "dns_update", "dnssec"],
  ["slices"],
  [
    "tcp",
    "sqlite",
    "queue",
    "service",
    "metrics_endpoint",
    "terminal",
    "x509",
    "dns_client",
    "postgres",
  ],
  ["certificates", "acme_tls", "durable"],
  ["settings"],
  [
    "acme",
    "config",
    "db",
    "dns_store",
    "http_io",
    "relay",
    "resolver",
    "dns_forward",
    "dns_rest",
    "replication",
    "tls",
  ],
  ["connector", "l7", "history", "dns_config", "fleet"],
  ["plane", "redirect", "health", "api_server"],
  ["server", "control", "dns_control", "rpc", "admin/gen"],
  ["workers"],
  ["dns_server"],
  ["messages", "rpc_server"],
  ["admin", "dns_admin", "client", "metrics"],
  ["ctl", "dns_ctl"],
  ["cli"],
];

/** Folders of the four lowest layers: values in, results out. */
export const PURE_FOLDERS: readonly string[] = LAYERS.slice(0, 4).flat();

/** One import statement; paths are relative to the root, other specifiers as they are. */
export interface Edge {
  readonly from: string;
  readonly to: string;
}

interface Dependency {
  readonly code?: { readonly specifier?: string };
  readonly type?: { readonly specifier?: string };
}

/** Every import of every given file, type imports included. */
export async function readEdges(files: readonly string[]): Promise<Edge[]> {
  const folder = await Deno.makeTempDir();
  try {
    const entry = join(folder, "all.ts");
    const imports = files.map((file) =>
      `import ${JSON.stringify(pathToFileURL(join(ROOT, file)))};`
    );
    await Deno.writeTextFile(entry, imports.join("\n"));
    const args = ["info", "--json", "--config", join(ROOT, "deno.json"), entry];
    const { code, stdout, stderr } = await runCommand(Deno.execPath(), args);
    assert.equal(code, 0, stderr);
    const graph = JSON.parse(stdout) as {
      modules: { specifier: string; dependencies?: Dependency[] }[];
    };
    return graph.modules.flatMap(({ specifier, dependencies = [] }) => {
      const from = localPath(specifier);
      if (!files.includes(from)) return [];
      return dependencies.flatMap(({ code, type }) =>
        [code?.specifier, type?.specifier]
          .filter((target) => target !== undefined)
          .map((target) => ({ from, to: localPath(target) }))
      );
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** The TypeScript files below a folder of the checkout, relative to the root, sorted. */
export async function sourceFiles(folder: string): Promise<string[]> {
  const found: string[] = [];
  for await (const entry of Deno.readDir(join(ROOT, folder))) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory) found.push(...await sourceFiles(path));
    else if (path.endsWith(".ts")) found.push(path);
  }
  return found.sort();
}

/** What is wrong with the imports of `lib`, one sentence each. */
export function layerProblems(edges: readonly Edge[]): string[] {
  const problems = edges.flatMap(({ from, to }) => {
    const problem = edgeProblem(from, to);
    return problem === undefined ? [] : [`${from} imports ${to}: ${problem}`];
  });
  return [...new Set(problems)];
}

function edgeProblem(from: string, to: string): string | undefined {
  const importer = libFolder(from);
  if (importer === undefined) return undefined;
  if (rankOf(importer) < 0) return `lib/${importer} has no layer`;
  const isLocal = /^[a-z_]+\/|^main\.ts$/.test(to) && to.endsWith(".ts");
  if (!isLocal) return undefined;
  const imported = libFolder(to);
  if (imported === undefined) return "the program imports nothing from outside of lib";
  if (imported === importer) return undefined;
  if (to !== `lib/${imported}/mod.ts`) return "only mod.ts is open to other folders";
  if (rankOf(imported) >= rankOf(importer)) {
    return `layer ${rankOf(importer)} imports lower layers only, not layer ${rankOf(imported)}`;
  }
  return undefined;
}

/** Rings of imports among the files of one folder, each as `a.ts → b.ts → a.ts`. */
export function importCycles(edges: readonly Edge[]): string[] {
  const targets = new Map<string, string[]>();
  for (const { from, to } of edges) {
    if (dirname(from) === dirname(to)) targets.set(from, [...targets.get(from) ?? [], to]);
  }
  const cycles: string[] = [];
  const finished = new Set<string>();
  const visit = (file: string, path: readonly string[]) => {
    const start = path.indexOf(file);
    if (start >= 0) cycles.push([...path.slice(start), file].join(" → "));
    if (start >= 0 || finished.has(file)) return;
    for (const target of targets.get(file) ?? []) visit(target, [...path, file]);
    finished.add(file);
  };
  for (const file of targets.keys()) visit(file, []);
  return cycles;
}

/** The folder of `lib` that a file belongs to. */
export function libFolder(path: string): string | undefined {
  // The generated protocol is what server and client of the admin API share: a folder of its own.
  return /^lib\/(admin\/gen|[^/]+)\//.exec(path)?.[1];
}

/** The layer of a folder of `lib`, 0 the lowest; -1: it has none. */
export function rankOf(folder: string): number {
  return LAYERS.findIndex((layer) => layer.includes(folder));
}

function localPath(specifier: string): string {
  if (!specifier.startsWith("file:")) return specifier;
  return relative(ROOT, fileURLToPath(specifier));
}
