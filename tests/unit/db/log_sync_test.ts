import assert from "node:assert/strict";
import { LogSync } from "../../../lib/sqlite/log_sync.ts";
import { eventually } from "../../support/deadline.ts";
import { temporaryFolder } from "../../support/temporary_folder.ts";

/** Disks that answer when they are told to. */
function slowDisk() {
  const { syncData } = Deno.FsFile.prototype;
  const syncs: PromiseWithResolvers<void>[] = [];
  Deno.FsFile.prototype.syncData = () => {
    const sync = Promise.withResolvers<void>();
    syncs.push(sync);
    return sync.promise;
  };
  return {
    syncs,
    [Symbol.dispose]: () => {
      Deno.FsFile.prototype.syncData = syncData;
    },
  };
}

Deno.test("LogSync begins another sync for those who come while one runs, and one for all of them", async () => {
  using folder = temporaryFolder();
  const path = `${folder.path}/a.db`;
  Deno.writeTextFileSync(`${path}-wal`, "");
  using disk = slowDisk();
  using log = new LogSync(path);
  const first = log.sync();
  await eventually(() => disk.syncs.length === 1, "the first begins");
  // What they have written may not be in the first.
  let isOver = false;
  const others = Promise.all([log.sync(), log.sync()]).then(() => isOver = true);
  disk.syncs[0]?.resolve();
  await first;
  await eventually(() => disk.syncs.length === 2, "another begins");
  assert.equal(isOver, false);
  disk.syncs[1]?.resolve();
  await others;
  assert.equal(disk.syncs.length, 2);
});

Deno.test("LogSync fails those whose sync failed, and nobody behind them", async () => {
  using folder = temporaryFolder();
  const path = `${folder.path}/a.db`;
  Deno.writeTextFileSync(`${path}-wal`, "");
  using disk = slowDisk();
  using log = new LogSync(path);
  const first = assert.rejects(log.sync(), /the disk is broken/);
  await eventually(() => disk.syncs.length === 1, "the first begins");
  const second = log.sync();
  disk.syncs[0]?.reject(new Error("the disk is broken"));
  await first;
  await eventually(() => disk.syncs.length === 2, "another begins");
  disk.syncs[1]?.resolve();
  await second;
});
