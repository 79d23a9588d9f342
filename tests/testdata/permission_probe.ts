/**
 * Tries what the program must not do, and prints what came of it as JSON. Run as a script with a
 * folder that it may write as its argument, or as a worker, which posts the answer.
 */
import { DatabaseSync } from "node:sqlite";
import { spawnSync } from "node:child_process";

/** `done`, or the name of the error. */
async function attempt(action: () => unknown): Promise<string> {
  try {
    await action();
    return "done";
  } catch (error) {
    return (error as Error).name;
  }
}

async function probe(folder: string): Promise<Record<string, string>> {
  return {
    ownRead: await attempt(() => Deno.readDirSync(folder).next()),
    ownWrite: await attempt(() => Deno.writeTextFileSync(`${folder}/probe`, "")),
    ownDatabase: await attempt(() => new DatabaseSync(`${folder}/probe.db`).close()),
    listen: await attempt(() => Deno.listen({ hostname: "127.0.0.1", port: 0 }).close()),
    foreignRead: await attempt(() => Deno.readTextFileSync("/etc/passwd")),
    foreignWrite: await attempt(() => Deno.writeTextFileSync(`${folder}-beside`, "")),
    foreignDatabase: await attempt(() => new DatabaseSync(`${folder}-beside.db`).close()),
    escape: await attempt(() => Deno.readTextFileSync(`${folder}/../../etc/passwd`)),
    link: await attempt(() => Deno.symlinkSync("/etc/passwd", `${folder}/link`)),
    run: await attempt(() => new Deno.Command("true").outputSync()),
    spawn: await attempt(() => {
      // Without the permission it may throw, or return without a status.
      if (spawnSync("true").status !== 0) throw new Deno.errors.NotCapable();
    }),
    library: await attempt(() => Deno.dlopen("libc.so.6", {})),
    hostname: await attempt(() => Deno.hostname()),
    home: await attempt(() => Deno.env.get("HOME") ?? Promise.reject(new Deno.errors.NotCapable())),
    remoteCode: await attempt(fetchCode),
  };
}

/** Refused as a TypeError; one that comes from the network would mean that it was tried. */
async function fetchCode(): Promise<void> {
  const url = "https://deno.land/x.ts";
  try {
    await import(url);
  } catch (error) {
    const refused = /--no-remote is specified|Requires import access/;
    if (refused.test((error as Error).message)) throw new Deno.errors.NotCapable();
    throw error;
  }
}

const isWorker = "WorkerGlobalScope" in globalThis;
if (!isWorker) {
  const [folder = ""] = Deno.args;
  Deno.stdout.writeSync(new TextEncoder().encode(JSON.stringify(await probe(folder))));
} else {
  const scope = self as unknown as Worker;
  scope.onmessage = async ({ data }: MessageEvent<string>) => scope.postMessage(await probe(data));
}
