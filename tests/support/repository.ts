/**
 * The files of the checkout.
 *
 * @module
 */
import { join } from "node:path";
import { ROOT } from "./module_graph.ts";

/** Made by tools or at run time, never committed. */
const FOREIGN = new Set([".git", "node_modules", "srv", "dist", "deno.lock"]);

/** Every text file of the repository, relative to its root; not what tools and runs leave there. */
export async function repositoryFiles(folder = ""): Promise<string[]> {
  const found: string[] = [];
  for await (const entry of Deno.readDir(join(ROOT, folder))) {
    if (FOREIGN.has(entry.name)) continue;
    const path = join(folder, entry.name);
    if (entry.isDirectory) found.push(...await repositoryFiles(path));
    else if (entry.isFile) found.push(path);
  }
  return found.sort();
}
