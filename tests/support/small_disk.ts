import { commandPath } from "./commands.ts";

/**
 * A file system of its own. Where a database was on it, `await using` lets what the system still does
 * with a file come to its end, which a thread that waits would not.
 */
export interface SmallDisk extends Disposable, AsyncDisposable {
  readonly path: string;
  /** Makes it refuse every write. */
  makeReadOnly(): void;
  makeWritable(): void;
}

/** Of the names of mount points; the process that mounted it follows. */
const PREFIX = "mc-proxy-disk-";

const UNMOUNT_TRIES = 50;
const UNMOUNT_PAUSE_MS = 40;
/** Threads that were told to end have files open until they do, which a busy machine delays. */
const PATIENT_UNMOUNT_TRIES = 350;

/** `mount` or `umount` refused. */
class MountError extends Error {
  override readonly name = "MountError";
  readonly code = "MOUNT";
}

/** Whether this user may mount file systems. */
export const CAN_MOUNT = (() => {
  try {
    using _disk = smallDisk(64);
    return true;
  } catch (error) {
    // A mistake in here must not pass for a machine that forbids it.
    if (error instanceof MountError) return false;
    throw error;
  }
})();

/**
 * Removes a file and has its room back at once: a program that is being started by another thread holds
 * what was open in this process until it runs.
 */
export function giveRoomBack(path: string): void {
  Deno.truncateSync(path);
  Deno.removeSync(path);
}

/** Takes away what test processes that were killed have left. */
function sweep(): void {
  const mounts = Deno.readTextFileSync("/proc/mounts").split("\n").map((line) =>
    line.split(" ")[1]
  );
  for (const path of mounts) {
    const pid = new RegExp(`/${PREFIX}(\\d+)-[^/]*$`).exec(path ?? "")?.[1];
    if (path === undefined || pid === undefined || isRunning(pid)) continue;
    try {
      release(path);
    } catch {
      // Another test process was faster, or it was busy and is detached now.
    }
  }
}

function isRunning(pid: string): boolean {
  try {
    return Deno.statSync(`/proc/${pid}`).isDirectory;
  } catch {
    return false;
  }
}

/** Mounts a file system in memory with room for `kibibytes`. */
export function smallDisk(kibibytes: number): SmallDisk {
  sweep();
  const path = Deno.makeTempDirSync({ prefix: `${PREFIX}${Deno.pid}-` });
  try {
    run("mount", "-t", "tmpfs", "-o", `size=${kibibytes}k`, "tmpfs", path);
  } catch (error) {
    Deno.removeSync(path);
    throw error;
  }
  return {
    path,
    makeReadOnly: () => run("mount", "-o", "remount,ro", path),
    makeWritable: () => run("mount", "-o", "remount,rw", path),
    [Symbol.dispose]: () => release(path),
    async [Symbol.asyncDispose]() {
      for (let triesLeft = PATIENT_UNMOUNT_TRIES; triesLeft > 0; triesLeft--) {
        if (isUnmounted(path)) return Deno.removeSync(path);
        await new Promise((resolve) => setTimeout(resolve, UNMOUNT_PAUSE_MS));
      }
      release(path);
    },
  };
}

/**
 * Takes it away whatever happens: a mount that stays would be there until the machine restarts.
 *
 * @throws {Error} if something on it was still open, which is a leak.
 */
function release(path: string): void {
  try {
    unmount(path);
  } catch (error) {
    // Detached at once, gone with the last file that is open.
    run("umount", "--lazy", path);
    throw error;
  } finally {
    Deno.removeSync(path);
  }
}

/** Tries once. */
function isUnmounted(path: string): boolean {
  try {
    run("umount", path);
    return true;
  } catch {
    return false;
  }
}

/**
 * A child that another test starts holds copies of every descriptor between fork and exec, so a disk
 * may be busy for a moment; one that stays busy is a file left open.
 */
function unmount(path: string): void {
  for (let triesLeft = UNMOUNT_TRIES; triesLeft > 0; triesLeft--) {
    try {
      return run("umount", path);
    } catch (error) {
      if (triesLeft === 1) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, UNMOUNT_PAUSE_MS);
    }
  }
}

function run(command: string, ...args: string[]): void {
  const options = { args, stdin: "null", stdout: "null", stderr: "piped" } as const;
  const output = new Deno.Command(commandPath(command) ?? command, options).outputSync();
  if (!output.success) {
    throw new MountError(`${command}: ${new TextDecoder().decode(output.stderr)}`);
  }
}
