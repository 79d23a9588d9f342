import { commandPath } from "./commands.ts";

/** A file system of its own. */
export interface SmallDisk extends Disposable {
  readonly path: string;
  /** Makes it refuse every write. */
  makeReadOnly(): void;
}

/** Whether this user may mount file systems. */
export const CAN_MOUNT = (() => {
  try {
    using _disk = smallDisk(64);
    return true;
  } catch {
    return false;
  }
})();

/** Mounts a file system in memory with room for `kibibytes`. */
export function smallDisk(kibibytes: number): SmallDisk {
  const path = Deno.makeTempDirSync({ prefix: "mc-proxy-disk-" });
  try {
    run("mount", "-t", "tmpfs", "-o", `size=${kibibytes}k`, "tmpfs", path);
  } catch (error) {
    Deno.removeSync(path);
    throw error;
  }
  return {
    path,
    makeReadOnly: () => run("mount", "-o", "remount,ro", path),
    [Symbol.dispose]: () => {
      // Fails if anything on it is still open.
      run("umount", path);
      Deno.removeSync(path);
    },
  };
}

function run(command: string, ...args: string[]): void {
  const options = { args, stdin: "null", stdout: "null", stderr: "piped" } as const;
  const output = new Deno.Command(commandPath(command) ?? command, options).outputSync();
  if (!output.success) throw new Error(`${command}: ${new TextDecoder().decode(output.stderr)}`);
}
