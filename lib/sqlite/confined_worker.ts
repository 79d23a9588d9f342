/** What a {@link confinedWorker} is started with. */
export interface ConfinedWorkerOptions {
  /** Its name in tools that list threads. */
  readonly name: string;
  /** The one folder that it may read and write. */
  readonly folder: string;
}

/** A thread that writes a database: it may use the files of one folder and nothing else. */
export function confinedWorker(
  entry: string | URL,
  { name, folder }: ConfinedWorkerOptions,
): Worker {
  return new Worker(entry, {
    type: "module",
    name,
    deno: {
      permissions: {
        read: [folder],
        write: [folder],
        net: false,
        run: false,
        env: false,
        sys: false,
        ffi: false,
        import: false,
      },
    },
  });
}
