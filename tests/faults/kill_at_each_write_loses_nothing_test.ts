import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openDatabase } from "../../lib/db/mod.ts";
import { commandPath, testWithCommands } from "../support/commands.ts";
import { temporaryFolder } from "../support/temporary_folder.ts";
import { ROUNDS } from "./durable_state.ts";

const WRITER = fileURLToPath(new URL("killed_writer.ts", import.meta.url));
const CHANGES = 9;

/** System calls after which a file, or the name of one, is another. */
const WRITES = "pwrite64,fsync,fdatasync,rename,renameat,renameat2,ftruncate,unlink,link";

/** With a hundred rounds every single one of them; in CI each sixtieth, from another one every time. */
const STRIDE = Math.max(1, Math.ceil(60 / ROUNDS));

/** The runtime writes files of its own, its caches, and is not to be killed there. */
const FILES = ["a.db", "a.db-wal", "a.db-shm", "a.db-journal", "marker.a.db", ""];

/** Runs the writer and kills it at the write number `when` in its folder; what it said. */
async function runUntil(folder: string, when: number, mode: readonly string[]): Promise<string[]> {
  const path = join(folder, "a.db");
  const { stdout } = await new Deno.Command(commandPath("strace") ?? "strace", {
    args: [
      ...["-f", "-qq", "-o", "/dev/null", "-e", `trace=${WRITES}`],
      ...["-e", `inject=${WRITES}:signal=SIGKILL:when=${when}`],
      ...FILES.flatMap((name) => ["-P", join(folder, name)]),
      ...[Deno.execPath(), "run", "--no-check", "--no-prompt", "-A", WRITER, path, String(CHANGES)],
      ...mode,
    ],
    stdin: "null",
    stderr: "null",
  }).output();
  return new TextDecoder().decode(stdout).split("\n").slice(0, -1);
}

const WRITERS: readonly (readonly [who: string, mode: readonly string[]])[] = [
  ["a process", []],
  // Whose threads write and sync beside each other.
  ["a process that serves", ["serving"]],
];

for (const [who, mode] of WRITERS) {
  testWithCommands(
    ["strace"],
    `${who} that is killed at any write leaves a database that starts, with everything acknowledged`,
    async () => {
      const offset = 1 + Math.floor(Math.random() * STRIDE);
      let kills = 0;
      for (let when = offset;; when += STRIDE) {
        using folder = temporaryFolder();
        const first = await runUntil(folder.path, when, mode);
        // Twice, because a start after a crash writes too.
        const second = first.includes("done")
          ? []
          : await runUntil(folder.path, 1 + (when % 11), mode);
        {
          using db = openDatabase(join(folder.path, "a.db")); // A good database is never refused.
          const hostnames = new Set(db.routes(1).map(({ hostname }) => hostname));
          for (const said of [...first, ...second]) {
            if (!/^\d+$/.test(said)) continue;
            assert.ok(
              hostnames.has(`h${said}.example`),
              `killed at write ${when}: ${said} is lost`,
            );
          }
          if (first.includes("seeded")) assert.equal(db.listeners().length, 1, `write ${when}`);
          // The change that is undone is one by itself, which may be there when nobody undid it.
          hostnames.delete("undone");
          assert.equal(db.policies.list().length, hostnames.size, "no change in halves");
        }
        if (first.includes("done")) break;
        kills++;
      }
      assert.ok(kills * STRIDE > 300, `the writer was killed ${kills} times`);
    },
  );
}
