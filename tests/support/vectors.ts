/**
 * Test vectors by others. They are not part of the repository: tests read them from
 * `../shared/vectors` beside the checkout and are reported as ignored where it is missing.
 *
 * @module
 */
import { fileURLToPath } from "node:url";

const FOLDER = new URL("../../../shared/vectors/", import.meta.url);

/** A test over every line of a JSON Lines file; ignored, with the file in its name, without it. */
export function vectorTest<T>(file: string, claim: string, check: (vectors: T[]) => void): void {
  const url = new URL(file, FOLDER);
  Deno.test({
    name: `${claim} (vectors ${file})`,
    ignore: !exists(url),
    fn: () => {
      const lines = Deno.readTextFileSync(url).trimEnd().split("\n");
      check(lines.map((line) => JSON.parse(line) as T));
    },
  });
}

/** The path of a file that is not JSON Lines; nothing without it. */
export function vectorPath(file: string): string | undefined {
  const url = new URL(file, FOLDER);
  return exists(url) ? fileURLToPath(url) : undefined;
}

function exists(url: URL): boolean {
  try {
    return Deno.statSync(url).isFile;
  } catch {
    return false;
  }
}
