/**
 * `deno task bundle`: writes the proxy, the name server and their clients as one script each,
 * `dist/mc-proxy.js`, `dist/mcproxyctl.js`, `dist/mcns.js` and `dist/mcnsctl.js`, which need Deno and
 * nothing else beside them: no source tree, no package cache, no lock file.
 *
 * @module
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url)).replace(/\/$/, "");

/** How a bundle contains the lines of each `entry_url.ts`. */
const ENTRY_LINE = `new URL("./entry.ts", import.meta.url)`;
/** Kinds of threads of the proxy, each with such a line: in lib/workers, lib/history, lib/sqlite. */
const PROXY_THREADS = 3;
/** Those of the name server: in lib/dns_server, lib/sqlite, and lib/workers, which it never starts. */
const MCNS_THREADS = 3;

/** A thread or the program: only one part is ever evaluated. The last does what `main.ts` does. */
const PROXY_MODULE = `
if ("WorkerGlobalScope" in globalThis && self.name === "history") {
  await import("${import.meta.resolve("../lib/history/entry.ts")}");
} else if ("WorkerGlobalScope" in globalThis && self.name === "checkpoint") {
  await import("${import.meta.resolve("../lib/sqlite/entry.ts")}");
} else if ("WorkerGlobalScope" in globalThis) {
  await import("${import.meta.resolve("../lib/workers/entry.ts")}");
} else {
  const { runMcProxy } = await import("${import.meta.resolve("../lib/cli/mod.ts")}");
  Deno.exit(await runMcProxy(Deno.args));
}
`;

/** A thread or the name server. */
const MCNS_MODULE = `
if ("WorkerGlobalScope" in globalThis && self.name === "checkpoint") {
  await import("${import.meta.resolve("../lib/sqlite/entry.ts")}");
} else if ("WorkerGlobalScope" in globalThis) {
  await import("${import.meta.resolve("../lib/dns_server/entry.ts")}");
} else {
  const { runMcns } = await import("${import.meta.resolve("../lib/cli/mcns_command.ts")}");
  Deno.exit(await runMcns(Deno.args));
}
`;

/** A program that is made into one script. */
export type BundledProgram = "mc-proxy" | "mcproxyctl" | "mcns" | "mcnsctl";

/** Those, each as its name says. */
export const BUNDLED_PROGRAMS: readonly BundledProgram[] = [
  "mc-proxy",
  "mcproxyctl",
  "mcns",
  "mcnsctl",
];

/** Bundles a program, with its workers if it has any. */
export async function makeBundle(program: BundledProgram, output: string): Promise<void> {
  if (program === "mc-proxy") await bundleProxy(output);
  else if (program === "mcns") await bundleMcns(output);
  else await bundleClient(output, program);
}

/**
 * Bundles the proxy with its workers. The script finds out which of the two it is: a worker is
 * started from the same file.
 *
 * @param output Where to write the script.
 */
export async function bundleProxy(output: string): Promise<void> {
  await bundleProgram(PROXY_MODULE, { output, threads: PROXY_THREADS });
}

/**
 * Bundles the name server with its workers, as {@link bundleProxy} does.
 *
 * @param output Where to write the script.
 */
export async function bundleMcns(output: string): Promise<void> {
  await bundleProgram(MCNS_MODULE, { output, threads: MCNS_THREADS });
}

async function bundleProgram(
  module: string,
  { output, threads }: { readonly output: string; readonly threads: number },
): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    const entry = join(folder, "entry.ts");
    const script = join(folder, "script.js");
    await Deno.writeTextFile(entry, module);
    await bundle(entry, script);
    const code = await Deno.readTextFile(script);
    const parts = code.split(ENTRY_LINE);
    if (parts.length !== threads + 1) {
      const found = parts.length - 1;
      throw new Error(`the bundle has ${found} places that start a thread, not ${threads}`);
    }
    await Deno.writeTextFile(output, parts.join("new URL(import.meta.url)"));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/**
 * Bundles a program that administers.
 *
 * @param output Where to write the script.
 */
export async function bundleClient(
  output: string,
  program: "mcproxyctl" | "mcnsctl" = "mcproxyctl",
): Promise<void> {
  await bundle(join(ROOT, `lib/cli/${program}.ts`), output);
}

async function bundle(entry: string, output: string): Promise<void> {
  const config = join(ROOT, "deno.json");
  const args = ["bundle", "--quiet", "--config", config, "--output", output, entry];
  const { code, stderr } = await new Deno.Command(Deno.execPath(), { args, cwd: ROOT }).output();
  if (code !== 0) throw new Error(`deno bundle failed: ${new TextDecoder().decode(stderr)}`);
}

if (import.meta.main) {
  const folder = join(ROOT, "dist");
  await Deno.mkdir(folder, { recursive: true });
  for (const program of BUNDLED_PROGRAMS) await makeBundle(program, join(folder, `${program}.js`));
}
