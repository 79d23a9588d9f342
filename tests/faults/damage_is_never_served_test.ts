import assert from "node:assert/strict";
import { copyFileSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { openDatabase } from "../../lib/db/mod.ts";
import { createRandom, type Random } from "../support/fuzz.ts";
import { temporaryFolder } from "../support/temporary_folder.ts";
import { acknowledgeChange, copyFiles, fill, outcomeOf, ROUNDS, stateOf } from "./durable_state.ts";

const FLIPS = 150 * ROUNDS;
const NAMES_A_WAY = /mc-proxy restore --from .*\.bak \(revision \d+\), or .*--as-it-is/;

/** The files of a database whose process was killed, with a snapshot of an earlier revision. */
async function crashed(
  folder: string,
  { beforeCheckpoint, afterwards }: { beforeCheckpoint: number; afterwards: number },
): Promise<string> {
  using working = temporaryFolder();
  using db = openDatabase(`${working.path}/a.db`);
  fill(db, beforeCheckpoint);
  await db.snapshot(`${working.path}/a.db.20260101T000000Z.bak`);
  db.safekeeping?.checkpoint();
  for (let i = 0; i < afterwards; i++) acknowledgeChange(db, beforeCheckpoint + i);
  copyFiles(working.path, folder);
  return stateOf(db);
}

function flip(path: string, random: Random): string {
  const bytes = readFileSync(path);
  const at = random.below(bytes.length);
  const bit = random.below(8);
  bytes[at] = (bytes[at] ?? 0) ^ (1 << bit);
  writeFileSync(path, bytes);
  return `bit ${bit} of octet ${at} of ${path}`;
}

/** Flips one bit of a file, many times over, and opens the database each time. */
async function flipBits(file: string, changes: { beforeCheckpoint: number; afterwards: number }) {
  const seed = Number(Deno.env.get("FUZZ_SEED") ?? crypto.getRandomValues(new Uint32Array(1))[0]);
  const random = createRandom(seed);
  using intact = temporaryFolder();
  const state = await crashed(intact.path, changes);
  let refusals = 0;
  for (let i = 0; i < FLIPS; i++) {
    using folder = temporaryFolder();
    copyFiles(intact.path, folder.path);
    const where = flip(`${folder.path}/${file}`, random);
    const outcome = outcomeOf(`${folder.path}/a.db`);
    if ("state" in outcome) {
      assert.equal(outcome.state, state, `FUZZ_SEED=${seed}: ${where} was served`);
      continue;
    }
    refusals++;
    // Where SQLite itself cannot read the file there is no telling which code it finds.
    assert.match(outcome.message, NAMES_A_WAY, `FUZZ_SEED=${seed}: ${where}: ${outcome.message}`);
  }
  return refusals;
}

Deno.test("a bit that flips in the log is refused or makes no difference", async () => {
  const refusals = await flipBits("a.db-wal", { beforeCheckpoint: 3, afterwards: 8 });
  // The last frames of each page alone count; what was written over in the log does not.
  assert.ok(refusals > FLIPS / 2, `${refusals} of ${FLIPS}`);
});

Deno.test("a bit that flips in the database is refused or makes no difference", async () => {
  const refusals = await flipBits("a.db", { beforeCheckpoint: 100, afterwards: 0 });
  // Most of it is empty space in pages.
  assert.ok(refusals > FLIPS / 50, `${refusals} of ${FLIPS}`);
});

Deno.test("one letter of a route that SQLite sees nothing wrong with is refused", async () => {
  using folder = temporaryFolder();
  await crashed(folder.path, { beforeCheckpoint: 9, afterwards: 0 });
  rmSync(`${folder.path}/a.db-wal`, { force: true });
  rmSync(`${folder.path}/a.db-shm`, { force: true });
  const path = `${folder.path}/a.db`;
  const bytes = readFileSync(path);
  const at = bytes.indexOf("192.0.2.1:7");
  assert.ok(at > 0);
  bytes[at + 10] = (bytes[at + 10] ?? 0) ^ 1; // Port 6.
  writeFileSync(path, bytes);
  const outcome = outcomeOf(path);
  assert.ok("refused" in outcome);
  assert.equal(outcome.refused, "damaged");
  assert.match(outcome.message, /its content is not what this program wrote/);
  assert.match(outcome.message, NAMES_A_WAY);
});

Deno.test("a bit that flips in the marker never makes a good database another one", async () => {
  using intact = temporaryFolder();
  const state = await crashed(intact.path, { beforeCheckpoint: 3, afterwards: 2 });
  const random = createRandom(1);
  for (let i = 0; i < 50 * ROUNDS; i++) {
    using folder = temporaryFolder();
    copyFiles(intact.path, folder.path);
    flip(`${folder.path}/marker.a.db`, random);
    // One slot of two is damaged: the other is a good one, at most one change older.
    assert.deepEqual(outcomeOf(`${folder.path}/a.db`), { state });
  }
});

Deno.test("a database that is gone is not begun anew", async () => {
  using folder = temporaryFolder();
  await crashed(folder.path, { beforeCheckpoint: 3, afterwards: 2 });
  for (const suffix of ["", "-wal", "-shm"]) {
    rmSync(`${folder.path}/a.db${suffix}`, { force: true });
  }
  const outcome = outcomeOf(`${folder.path}/a.db`);
  assert.ok("refused" in outcome);
  assert.equal(outcome.refused, "lost");
  assert.match(outcome.message, /the file is gone, and .*marker\.a\.db says that revision 5/);
  assert.match(outcome.message, NAMES_A_WAY);
  assert.ok(!folder.names().includes("a.db"), "and nothing was made in its place");
});

Deno.test("an older copy in the place of the database is refused", async () => {
  using folder = temporaryFolder();
  await crashed(folder.path, { beforeCheckpoint: 3, afterwards: 2 });
  for (const suffix of ["-wal", "-shm"]) rmSync(`${folder.path}/a.db${suffix}`, { force: true });
  copyFileSync(`${folder.path}/a.db.20260101T000000Z.bak`, `${folder.path}/a.db`);
  const outcome = outcomeOf(`${folder.path}/a.db`);
  assert.ok("refused" in outcome);
  assert.equal(outcome.refused, "lost");
  assert.match(outcome.message, /revision 3 instead of 5/);
});

Deno.test("another database in the place of the database is refused", async () => {
  using folder = temporaryFolder();
  using other = temporaryFolder();
  await crashed(folder.path, { beforeCheckpoint: 1, afterwards: 0 });
  await crashed(other.path, { beforeCheckpoint: 9, afterwards: 0 });
  for (const suffix of ["-wal", "-shm"]) rmSync(`${folder.path}/a.db${suffix}`, { force: true });
  copyFileSync(`${other.path}/a.db`, `${folder.path}/a.db`);
  const outcome = outcomeOf(`${folder.path}/a.db`);
  assert.ok("refused" in outcome);
  assert.match(outcome.message, /another database than the one in which changes were acknowledged/);
});

Deno.test("an empty file in the place of the database is refused", async () => {
  using folder = temporaryFolder();
  await crashed(folder.path, { beforeCheckpoint: 1, afterwards: 0 });
  rmSync(`${folder.path}/a.db-wal`, { force: true });
  rmSync(`${folder.path}/a.db-shm`, { force: true });
  writeFileSync(`${folder.path}/a.db`, "");
  const outcome = outcomeOf(`${folder.path}/a.db`);
  assert.ok("refused" in outcome);
  assert.equal(outcome.refused, "lost");
});

Deno.test("a database without its log is refused, when the log held something", async () => {
  using folder = temporaryFolder();
  await crashed(folder.path, { beforeCheckpoint: 3, afterwards: 2 });
  rmSync(`${folder.path}/a.db-wal`);
  rmSync(`${folder.path}/a.db-shm`, { force: true });
  const outcome = outcomeOf(`${folder.path}/a.db`);
  assert.ok("refused" in outcome);
  assert.match(outcome.message, /revision 3 instead of 5/);
});
