/**
 * A PostgreSQL that keeps what it says, and proxies of one group, each in a process of its own, which
 * change the state as fast as they can: how many changes a second, how long one waits for its
 * acknowledgement, and how long it takes from there until it is in effect everywhere.
 *
 *     deno run -A bench/fleet/main.ts [changes of each = 2000] [proxies = 5]
 *
 * Fails if a revision is missing or replicas differ.
 *
 * @module
 */
// deno-lint-ignore-file no-console -- this is how it answers
import assert from "node:assert/strict";
import { createFleet } from "../../tests/support/fleet.ts";
import { unusedPorts } from "../../tests/support/ports.ts";
import { startPostgres } from "../../tests/support/postgres.ts";
import { temporaryFolder } from "../../tests/support/temporary_folder.ts";
import type { MemberNotes } from "./member.ts";
import { MemberProcess } from "./process.ts";

const [changes = 2_000, proxies = 5] = Deno.args.map(Number);

await using server = await startPostgres({ settings: ["fsync=on"] });
const roles = Array.from({ length: proxies }, (_, i) => `p${i + 1}`);
await createFleet(server, { edge: roles });
const ports = await unusedPorts(proxies);
using stack = new DisposableStack();
const members = [];
for (const [i, role] of roles.entries()) {
  const { path: folder } = stack.use(temporaryFolder());
  const { address } = server;
  const member = new MemberProcess({ role, folder, port: ports[i] ?? 0, changes, address });
  members.push(member);
  await member.says("ready");
}
const started = performance.now();
for (const member of members) await member.tell("go");
for (const member of members) await member.says("done");
const tookMs = performance.now() - started;
const [row] = await server.run(`SELECT count(*)::int AS count, min(revision)::int AS first,
  max(revision)::int AS last FROM mc_proxy_fleet.log`);
assert.deepEqual({ ...row }, { count: row?.last, first: 1, last: changes * proxies + 1 });
for (const member of members) await member.tell(`${row?.last}`);
for (const member of members) await member.says("noted");
for (const member of members) await member.tell("end");
const notes = await Promise.all(members.map((member) => member.notes()));
assert.equal(new Set(notes.map(({ content }) => content)).size, 1, "replicas differ");
await Promise.all(members.map((member) => member.ended()));
show(notes);

function show(notes: readonly MemberNotes[]): void {
  const all = notes.flatMap(({ acknowledged }) => acknowledged);
  const waited = all.map(({ askedAt, at }) => at - askedAt);
  const spread = all.map(({ revision, at }) => Math.max(0, everywhereAt(revision, notes) - at));
  console.log(
    `${proxies} proxies, ${changes} changes each, all replicas equal, no revision missing`,
  );
  console.log(`${(all.length / (tookMs / 1000)).toFixed(0)} changes a second`);
  for (const [name, times] of [["acknowledged", waited], ["then everywhere", spread]] as const) {
    const sorted = times.toSorted((a, b) => a - b);
    const at = (share: number) => sorted[Math.floor(share * (sorted.length - 1))]?.toFixed(1);
    console.log(`${name}: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, longest ${at(1)} ms`);
  }
}

/** When the last of them had a revision in effect, alone or together with later ones. */
function everywhereAt(revision: number, notes: readonly MemberNotes[]): number {
  return Math.max(...notes.map(({ inEffect }) => {
    let [low, high] = [0, inEffect.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((inEffect[middle]?.revision ?? 0) < revision) low = middle + 1;
      else high = middle;
    }
    return inEffect[low]?.at ?? Infinity;
  }));
}
