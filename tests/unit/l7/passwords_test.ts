import assert from "node:assert/strict";
import { randomBytes, scryptSync } from "node:crypto";
import { Passwords } from "../../../lib/l7/passwords.ts";
import { formatPasswordHash } from "../../../lib/state/mod.ts";
import { FakeClock } from "../../support/clock.ts";

/** Those that are looked at at one time, and those that wait. */
const ROOM = 2 + 128;
/** Right ones that are remembered, and for how long. */
const REMEMBERED = 1024;
const REMEMBERED_MS = 300_000;

/** A hash that costs as little as one may. */
function cheapHash(password: string): string {
  const cost = { cost: 1024, blockSize: 1, parallelization: 1 };
  const salt = randomBytes(16);
  return formatPasswordHash({ ...cost, salt, hash: scryptSync(password, salt, 32, cost) });
}

const HASH = cheapHash("right");

Deno.test("Passwords remembers what was right, for five minutes and for its hash alone", async () => {
  const clock = new FakeClock();
  const passwords = new Passwords(clock.now);
  assert.equal(passwords.remembers(HASH, "right"), false);
  assert.equal(await passwords.verify(HASH, "right"), "right");
  assert.equal(passwords.remembers(HASH, "right"), true);
  assert.equal(passwords.remembers(cheapHash("right"), "right"), false, "a hash that was changed");
  assert.equal(passwords.remembers(HASH, "righ"), false);
  clock.advance(REMEMBERED_MS - 1);
  assert.equal(passwords.remembers(HASH, "right"), true);
  clock.advance(1);
  assert.equal(passwords.remembers(HASH, "right"), false);
});

Deno.test("Passwords remembers no wrong one, and none that was looked at for its time alone", async () => {
  const passwords = new Passwords(() => 0);
  assert.equal(await passwords.verify(HASH, "wrong"), "wrong");
  assert.equal(await passwords.verify("no hash", "right"), "wrong");
  assert.equal(await passwords.verify(HASH, "right", { isDecoy: true }), "wrong");
  for (const password of ["wrong", "right"]) {
    assert.equal(passwords.remembers(HASH, password), false);
  }
  // Neither lends its answer to the other when both are asked at once.
  const both = [
    passwords.verify(HASH, "right", { isDecoy: true }),
    passwords.verify(HASH, "right"),
  ];
  assert.deepEqual(await Promise.all(both), ["wrong", "right"]);
});

Deno.test("Passwords looks at so many at once, says busy to the next, and gives each place back", async () => {
  const passwords = new Passwords(() => 0);
  const ask = (count: number, round: string) =>
    Promise.all(Array.from({ length: count }, (_, i) => passwords.verify(HASH, `${round} ${i}`)));
  for (const round of ["first", "second", "third"]) {
    const verdicts = await ask(ROOM + 3, round);
    assert.deepEqual(verdicts, [
      ...Array.from({ length: ROOM }, () => "wrong"),
      ...["busy", "busy", "busy"],
    ], round);
  }
  // Who was told to come again is looked at when they do.
  const crowd = ask(ROOM, "crowd");
  const late = [
    passwords.verify(HASH, "right"),
    passwords.verify(HASH, "right", { isDecoy: true }),
  ];
  assert.deepEqual(await Promise.all(late), ["busy", "busy"]);
  await crowd;
  assert.equal(await passwords.verify(HASH, "right"), "right");
});

Deno.test("Passwords asks once what is asked many times at once", async () => {
  const passwords = new Passwords(() => 0);
  const same = Array.from({ length: 1000 }, () => passwords.verify(HASH, "right"));
  assert.deepEqual(new Set(await Promise.all(same)), new Set(["right"]));
});

Deno.test("Passwords forgets the oldest of too many", async () => {
  const passwords = new Passwords(() => 0);
  const hashes = Array.from({ length: REMEMBERED + 1 }, (_, i) => cheapHash(`${i}`));
  for (const [i, hash] of hashes.entries()) await passwords.verify(hash, `${i}`);
  assert.equal(passwords.remembers(hashes[0] ?? "", "0"), false);
  for (const i of [1, REMEMBERED]) assert.equal(passwords.remembers(hashes[i] ?? "", `${i}`), true);
});
