import assert from "node:assert/strict";
import { readdirSync, readlinkSync } from "node:fs";

/** A folder that goes with the end of the scope, when nothing in it may be open any more. */
export interface TemporaryFolder extends Disposable {
  readonly path: string;
  /** The names of the files in it, sorted. */
  names(): string[];
}

/** Makes a folder below the system's one for temporary files. */
export function temporaryFolder(): TemporaryFolder {
  const path = Deno.makeTempDirSync({ prefix: "mc-proxy-test-" });
  return {
    path,
    names: () => [...Deno.readDirSync(path)].map(({ name }) => name).sort(),
    [Symbol.dispose]: () => {
      const open = openFiles().filter((file) => file.startsWith(path));
      Deno.removeSync(path, { recursive: true });
      // Deno's sanitizer does not see the handles of node:sqlite.
      assert.deepEqual(open, [], "files that are still open");
    },
  };
}

/** The files that this process has open; none where there is no /proc. */
function openFiles(): string[] {
  const folder = "/proc/self/fd";
  try {
    return readdirSync(folder).flatMap((descriptor) => {
      try {
        return [readlinkSync(`${folder}/${descriptor}`)];
      } catch {
        // The descriptor of this very listing.
        return [];
      }
    });
  } catch {
    return [];
  }
}
