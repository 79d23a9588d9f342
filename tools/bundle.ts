/**
 * `deno task bundle`: writes the proxy and its client as one script each, `dist/mc-proxy.js` and
 * `dist/mcproxyctl.js`, which need Deno and nothing else beside them: no source tree, no package
 * cache, no lock file.
 *
 * @module
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url)).replace(/\/$/, "");

/** How the bundle contains the lines of each `entry_url.ts`: in lib/workers, lib/history, lib/sqlite. */
const ENTRY_LINE = `new URL("./entry.ts", import.meta.url)`;
/** Kinds of threads, each with such a line. */
const THREADS = 3;

/** A thread or the program: only one part is ever evaluated. The last does what `main.ts` does. */
const ENTRY_MODULE = `
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

/**
 * Bundles the proxy with its workers. The script finds out which of the two it is: a worker is
 * started from the same file.
 *
 * @param output Where to write the script.
 */
export async function bundleProxy(output: string): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    const entry = join(folder, "entry.ts");
    const script = join(folder, "script.js");
    await Deno.writeTextFile(entry, ENTRY_MODULE);
    await bundle(entry, script);
    const code = await Deno.readTextFile(script);
    const parts = code.split(ENTRY_LINE);
    if (parts.length !== THREADS + 1) {
      const found = parts.length - 1;
      throw new Error(`the bundle has ${found} places that start a thread, not ${THREADS}`);
    }
    await Deno.writeTextFile(output, parts.join("new URL(import.meta.url)"));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/**
 * Bundles mcproxyctl.
 *
 * @param output Where to write the script.
 */
export async function bundleClient(output: string): Promise<void> {
  await bundle(join(ROOT, "lib/cli/mcproxyctl.ts"), output);
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
  await bundleProxy(join(folder, "mc-proxy.js"));
  await bundleClient(join(folder, "mcproxyctl.js"));
}
