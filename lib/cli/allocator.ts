import { basename } from "node:path";

/**
 * The memory allocator that was preloaded, or `default` for the C library's. It decides the speed of
 * l7 (every read of a TLS socket allocates and frees 64 KiB), so the log says which one it is.
 *
 * @param preload The value of `LD_PRELOAD`: names or paths, separated by colons or spaces.
 */
export function allocatorName(preload: string | undefined): string {
  const libraries = (preload ?? "").split(/[:\s]+/).map((path) => basename(path));
  return libraries.find((name) => name.includes("malloc")) ?? "default";
}
