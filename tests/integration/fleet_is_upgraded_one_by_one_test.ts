/**
 * A group whose proxies are of two versions: this one, and a copy of it that knows one field more. What
 * the older would not understand waits for its upgrade, and what it meets all the same it leaves as it
 * is: nothing is lost, and nothing is made of half of it.
 */
import assert from "node:assert/strict";
import { eventually } from "../support/deadline.ts";
import * as older from "../support/fleet.ts";
import { otherVersion } from "../support/other_version.ts";
import { unusedPorts } from "../support/ports.ts";
import { postgresTest, startPostgres, type TestPostgres } from "../support/postgres.ts";
import { temporaryFolder } from "../support/temporary_folder.ts";

const BY = { actor: "uid 0", action: "Test" };

/** What a later version has: a field, and the format that brings it. */
const LATER = [{
  file: "lib/state/route.ts",
  old: "  description: field(",
  new: `  motto: field("motto", prose({ maxLength: 100 }), {
    optional: true, absent: "", since: 999, doc: "To live by.",
  }),
  description: field(`,
}, {
  file: "lib/fleet/format.ts",
  old: "{ known: 1, since: new Map<string, number>() }",
  new: '{ known: 2, since: new Map([["route.motto", 2]]) }',
}];

postgresTest("proxies of a fleet are upgraded one by one", async () => {
  using later = await otherVersion(LATER);
  const newer = await later.support("fleet.ts") as typeof older;
  await using server = await startPostgres();
  await older.createFleet(server, { edge: ["p1", "p2"] });
  using one = temporaryFolder();
  using two = temporaryFolder();
  const [first = 0, second = 0] = await unusedPorts(2);
  const startSecond = ({ startMember }: typeof older) =>
    startMember(server, { role: "p2", folder: two.path, port: second, saysHealth: true });
  await using p1 = await newer.startMember(server, { role: "p1", folder: one.path, port: first });
  const p2 = await startSecond(older);

  // What both understand is for both, whoever says it.
  await p1.control.routing.addRoute("edge", older.plainRoute("a.example"), BY);
  await older.inStep([p1, p2], 2);
  await move(p2, "127.0.0.1:2");
  await older.inStep([p1, p2], 3);
  assert.deepEqual(await valueOf(server), { backend: "127.0.0.1:2", motto: undefined });

  // The field waits for the upgrade, and the refusal says whose.
  await seen(p1, 2);
  await assert.rejects(setMotto(p1, "one"), {
    code: "failed_precondition",
    message: /upgrade p2 \(.+\) first, or .*mcproxyctl fleet forget NAME/,
  });
  assert.equal(p1.revision, 3);

  // Whoever was away and off the list meets what it does not know, and leaves it alone.
  await p2[Symbol.asyncDispose]();
  await p1.control.fleet?.forget("p2");
  await setMotto(p1, "one");
  const stuck = await startSecond(older);
  await eventually(
    () => /needs an upgrade/.test(stuck.control.problem),
    "it is not well, and says why",
  );
  assert.ok(stuck.served().includes("a.example"));
  assert.equal(stuck.revision, 3);
  await assert.rejects(move(stuck, "127.0.0.1:3"), {
    code: "unavailable",
    message: /needs an upgrade/,
  });
  assert.deepEqual(await valueOf(server), { backend: "127.0.0.1:2", motto: "one" });
  await eventually(async () => {
    const [, second] = (await p1.control.fleet?.list())?.members ?? [];
    return /needs an upgrade/.test(second?.health ?? "");
  }, "others hear of it");
  await assert.rejects(setMotto(p1, "two"), { code: "failed_precondition" });
  await p1.control.routing.addRoute("edge", older.plainRoute("b.example"), BY);
  await stuck[Symbol.asyncDispose]();

  // Upgraded it has everything.
  await using upgraded = await startSecond(newer);
  await older.inStep([p1, upgraded], 5);
  assert.equal(upgraded.content(), p1.content());
  assert.match(upgraded.content(), /"motto":"one"/);
  assert.equal(upgraded.control.problem, "");
  await eventually(() => setMotto(p1, "two").then(() => true, () => false), "it has said so");
  await move(upgraded, "127.0.0.1:4");
  await older.inStep([p1, upgraded], 7);
  assert.deepEqual(await valueOf(server), { backend: "127.0.0.1:4", motto: "two" });
});

type Member = Awaited<ReturnType<typeof older.startMember>>;

async function move({ control, addr }: Member, backend: string): Promise<void> {
  const change = (route: object) => ({ ...route, backend }) as never;
  await control.routing.updateRoute({ addr, hostname: "a.example", change, close: false }, BY);
}

async function setMotto({ control, addr }: Member, motto: string): Promise<void> {
  const change = (route: object) => ({ ...route, motto }) as never;
  await control.routing.updateRoute({ addr, hostname: "a.example", change, close: false }, BY);
}

async function valueOf(server: TestPostgres) {
  const [row] = await server.run(`SELECT value FROM mc_proxy_fleet.objects
    WHERE key[4] = 'a.example'`);
  return { backend: row?.value.backend, motto: row?.value.motto };
}

async function seen({ control }: Member, count: number): Promise<void> {
  const reported = async () => (await control.fleet?.list())?.members.length === count;
  await eventually(reported, `${count} proxies have reported`);
}
