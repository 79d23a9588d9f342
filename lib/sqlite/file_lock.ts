/**
 * Gives a lock of flock(2) back and closes its file. Closing alone would leave the lock to a child
 * between its fork and its exec, which has a copy of the descriptor.
 */
export function releaseFileLock(file: Deno.FsFile): void {
  file.unlockSync();
  file.close();
}
