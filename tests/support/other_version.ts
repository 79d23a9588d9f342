/**
 * A copy of this program that differs from it as a later version would, to be loaded beside it.
 *
 * @module
 */
import { temporaryFolder } from "./temporary_folder.ts";

/** One text of one file, and what stands there instead. */
export interface Patch {
  readonly file: string;
  readonly old: string;
  readonly new: string;
}

/** A changed copy; disposing of it removes its files, and what was loaded stays. */
export interface OtherVersion extends Disposable {
  /** Loads a module of `tests/support`, with everything of the program that it uses. */
  support(name: string): Promise<unknown>;
}

/** Copies the program and makes every change, each of which has to find its place once. */
export async function otherVersion(patches: readonly Patch[]): Promise<OtherVersion> {
  const folder = temporaryFolder();
  const copied = await new Deno.Command("cp", {
    args: ["-R", "--parents", "lib", "deploy/postgres", "tests/support", "deno.json", folder.path],
  }).output();
  if (!copied.success) throw new Error(new TextDecoder().decode(copied.stderr));
  for (const { file, old, new: replaced } of patches) {
    const path = `${folder.path}/${file}`;
    const parts = (await Deno.readTextFile(path)).split(old);
    if (parts.length !== 2) throw new Error(`${file} holds ${parts.length - 1} times: ${old}`);
    await Deno.writeTextFile(path, parts.join(replaced));
  }
  return {
    support: (name) => import(`file://${folder.path}/tests/support/${name}`),
    [Symbol.dispose]: () => folder[Symbol.dispose](),
  };
}
