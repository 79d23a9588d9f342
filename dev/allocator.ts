import { join } from "node:path";

const LIBRARY = "libjemalloc.so.2";

/** Debian keeps libraries one folder deeper, by architecture; others do not. */
const FOLDERS = ["/usr/lib", "/usr/lib64", "/usr/local/lib"];

/**
 * The path of jemalloc, when it is installed: preloading it makes l7 two to three times faster,
 * see `deploy/mc-proxy.service`.
 */
export async function findJemalloc(): Promise<string | undefined> {
  for (const folder of FOLDERS) {
    for (const path of [join(folder, LIBRARY), ...await inSubfolders(folder)]) {
      if (await isFile(path)) return path;
    }
  }
  return undefined;
}

async function inSubfolders(folder: string): Promise<string[]> {
  try {
    const entries = await Array.fromAsync(Deno.readDir(folder));
    return entries
      .filter(({ isDirectory }) => isDirectory)
      .map(({ name }) => join(folder, name, LIBRARY));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
