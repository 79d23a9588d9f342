/**
 * What every `Authorizer` must do, run for each implementation.
 *
 * @module
 */
import assert from "node:assert/strict";
import type { AccessRequest, Authorizer, Decision } from "../../lib/connector/mod.ts";

/** Rows of the three tables; `null` where a table of other programs may hold NULL. */
export interface DirectoryRows {
  readonly hosts: readonly {
    readonly connectId: string;
    readonly address: string | null;
    readonly orgId: string | null;
    readonly userIds: readonly (string | null)[] | null;
    readonly teamIds: readonly (string | null)[] | null;
    readonly hostUser?: string;
  }[];
  readonly teams: readonly {
    readonly teamId: string;
    readonly orgId: string | null;
    readonly userIds: readonly (string | null)[] | null;
  }[];
  readonly users: readonly { readonly userId: string; readonly orgId: string | null }[];
}

/** One implementation over a database that the suite may fill. */
export interface AuthorizerHarness extends AsyncDisposable {
  readonly authorizer: Authorizer;
  /** Replaces every row. */
  fill(rows: DirectoryRows): Promise<void>;
  /** Takes the NOT NULL constraints away: other programs' tables may have none. */
  allowNulls(): Promise<void>;
}

/** Registers the suite, with `Deno.test` or what is given instead. */
export function testAuthorizer(
  name: string,
  create: () => Promise<AuthorizerHarness>,
  register: (name: string, fn: () => Promise<void>) => void = (name, fn) => Deno.test(name, fn),
): void {
  const test = (claim: string, fn: (harness: AuthorizerHarness) => Promise<void>) =>
    register(`${name} ${claim}`, async () => {
      await using harness = await create();
      await fn(harness);
    });

  test("decides the whole truth table of organisation, user, team and host", truthTable);
  test("gives address and host user to the allowed only", givesTheAddress);
  test("lets nobody in by a NULL or an empty array", nullsAreNoYes);
  test("treats hostile identifiers as identifiers", hostileIdentifiers);
  test("tells identifiers apart octet by octet", similarIdentifiers);
  test("refuses identifiers that no row can have", impossibleIdentifiers);
  test("answers many requests in their order", manyRequests);
  test("sees a change at once", seesChanges);
  test("answers unavailable after close() and never rejects", afterClose);
}

const USERS = { alice: "acme", bob: "acme", mallory: "globex" } as const;
const MEMBERS = ["alice", "mallory", "ghost"];
const TEAMS = [
  { teamId: "acme-with", orgId: "acme", userIds: MEMBERS },
  { teamId: "acme-without", orgId: "acme", userIds: ["bob"] },
  { teamId: "acme-empty", orgId: "acme", userIds: [] },
  { teamId: "globex-with", orgId: "globex", userIds: MEMBERS },
];
const ORGS = ["acme", "globex", "initech"];
const ALICE: AccessRequest = { orgId: "acme", userId: "alice", connectId: "host-1" };

/** A host of each organisation, with and without the users, with every set of teams. */
function everyHost(): DirectoryRows["hosts"] {
  const teams = [...TEAMS.map(({ teamId }) => teamId), "no-such-team"];
  return ["acme", "globex"].flatMap((orgId) =>
    [[], MEMBERS].flatMap((userIds) =>
      Array.from({ length: 2 ** teams.length }, (_, set) => ({
        connectId: `${orgId}-${userIds.length}-${set}`,
        address: "10.0.0.1",
        orgId,
        userIds,
        teamIds: teams.filter((_, bit) => set & 1 << bit),
      }))
    )
  );
}

/** The rule in words of TypeScript, to hold the SQL against. */
function expected(request: AccessRequest, hosts: DirectoryRows["hosts"]): Decision {
  const host = hosts.find(({ connectId }) => connectId === request.connectId);
  if (!host) return { allowed: false, cause: "unknown_host" };
  const userOrg = new Map<string, string>(Object.entries(USERS)).get(request.userId);
  if (!userOrg) return { allowed: false, cause: "unknown_user" };
  if (new Set([request.orgId, userOrg, host.orgId]).size > 1) {
    return { allowed: false, cause: "other_org" };
  }
  const groups = TEAMS.filter(({ teamId, orgId }) =>
    orgId === request.orgId && host.teamIds?.includes(teamId)
  );
  const listed = [host.userIds, ...groups.map(({ userIds }) => userIds)].some((list) =>
    list?.includes(request.userId)
  );
  return listed ? { allowed: true, address: "10.0.0.1" } : { allowed: false, cause: "not_listed" };
}

async function truthTable({ authorizer, fill }: AuthorizerHarness): Promise<void> {
  const hosts = everyHost();
  const users = Object.entries(USERS).map(([userId, orgId]) => ({ userId, orgId }));
  await fill({ hosts, teams: TEAMS, users });
  const requests = [...hosts.map(({ connectId }) => connectId), "no-such-host"].flatMap((
    connectId,
  ) =>
    [...Object.keys(USERS), "ghost"].flatMap((userId) =>
      ORGS.map((orgId): AccessRequest => ({ orgId, userId, connectId }))
    )
  );
  const decisions = await authorizer.authorizeAll(requests);
  for (const [i, request] of requests.entries()) {
    const want = expected(request, hosts);
    assert.deepEqual(decisions[i], want, JSON.stringify(request));
  }
  // One by one it is the same; every seventh, to be quick.
  for (const request of requests.filter((_, i) => i % 7 === 0)) {
    assert.deepEqual(await authorizer.authorize(request), expected(request, hosts));
  }
  assert.deepEqual(
    [...new Set(decisions.map((d) => d.allowed ? "allowed" : d.cause))].sort(),
    ["allowed", "not_listed", "other_org", "unknown_host", "unknown_user"],
  );
}

const host = (changes: Partial<DirectoryRows["hosts"][number]> = {}) => ({
  connectId: "host-1",
  address: "10.0.0.1",
  orgId: "acme",
  userIds: ["alice"],
  teamIds: [],
  ...changes,
});
const alice = { userId: "alice", orgId: "acme" };

async function givesTheAddress({ authorizer, fill }: AuthorizerHarness): Promise<void> {
  const address = "[fd00::5]:2222";
  await fill({ hosts: [host({ address, hostUser: "root" })], teams: [], users: [alice] });
  assert.deepEqual(await authorizer.authorize(ALICE), { allowed: true, address, hostUser: "root" });
  const other = await authorizer.authorize({ ...ALICE, orgId: "globex" });
  assert.deepEqual(other, { allowed: false, cause: "other_org" });
}

async function nullsAreNoYes(harness: AuthorizerHarness): Promise<void> {
  await harness.allowNulls();
  const causeOf = async (rows: Partial<DirectoryRows>) => {
    await harness.fill({ hosts: [host()], teams: [], users: [alice], ...rows });
    const decision = await harness.authorizer.authorize(ALICE);
    return decision.allowed ? "allowed" : decision.cause;
  };
  const team = { teamId: "t", orgId: "acme", userIds: ["alice"] };
  const viaTeam = host({ userIds: null, teamIds: ["t"] });
  assert.equal(await causeOf({}), "allowed");
  assert.equal(await causeOf({ hosts: [viaTeam], teams: [team] }), "allowed");
  assert.equal(await causeOf({ hosts: [host({ userIds: [null, "alice"] })] }), "allowed");
  assert.equal(await causeOf({ hosts: [host({ address: null })] }), "unknown_host");
  assert.equal(await causeOf({ hosts: [host({ orgId: null })] }), "other_org");
  assert.equal(await causeOf({ users: [{ ...alice, orgId: null }] }), "other_org");
  assert.equal(
    await causeOf({ hosts: [host({ orgId: null })], users: [{ ...alice, orgId: null }] }),
    "other_org",
  );
  for (
    const [userIds, teamIds] of [[null, null], [[], []], [null, []], [[], null], [[null], [null]]]
  ) {
    const rows = { hosts: [host({ userIds: userIds ?? null, teamIds: teamIds ?? null })] };
    assert.equal(await causeOf(rows), "not_listed");
  }
  for (const userIds of [null, [], [null]]) {
    assert.equal(await causeOf({ hosts: [viaTeam], teams: [{ ...team, userIds }] }), "not_listed");
  }
  assert.equal(
    await causeOf({ hosts: [viaTeam], teams: [{ ...team, orgId: null }] }),
    "not_listed",
  );
}

const HOSTILE = [
  "",
  "'",
  "''",
  '"',
  "\\",
  "\\'; --",
  "' OR '1'='1",
  "alice' OR 1=1 --",
  "alice'; DROP TABLE users; --",
  '"; DROP TABLE backend_hosts; --',
  "$1",
  ":userId",
  "?",
  "%",
  "_",
  "*",
  "{alice}",
  '["alice"]',
  "alice,bob",
  "NULL",
  "null",
  "true",
  "0",
  "__proto__",
  "alice\n",
  "\u202ealice",
  "álice",
  "🗝️",
  "\uffff",
  "x".repeat(2048),
];

async function hostileIdentifiers({ authorizer, fill }: AuthorizerHarness): Promise<void> {
  await fill({ hosts: [host()], teams: [], users: [alice] });
  for (const text of HOSTILE) {
    const cause = async (change: Partial<AccessRequest>) => {
      const decision = await authorizer.authorize({ ...ALICE, ...change });
      return decision.allowed ? "allowed" : decision.cause;
    };
    const label = JSON.stringify(text).slice(0, 40);
    assert.equal(await cause({ userId: text }), "unknown_user", label);
    assert.equal(await cause({ orgId: text }), "other_org", label);
    assert.equal(await cause({ connectId: text }), "unknown_host", label);
    assert.equal(await cause({ orgId: text, userId: text, connectId: text }), "unknown_host");
  }
  assert.equal((await authorizer.authorize(ALICE)).allowed, true);

  // As rows they are identifiers like others, and each is itself only.
  await fill({
    hosts: HOSTILE.map((id) =>
      host({ connectId: id, orgId: id, userIds: [id], address: "10.0.0.2" })
    ),
    teams: [],
    users: HOSTILE.map((id) => ({ userId: id, orgId: id })),
  });
  const pairs = HOSTILE.flatMap((a) => HOSTILE.map((b) => [a, b] as const));
  const decisions = await authorizer.authorizeAll(
    pairs.map(([a, b]) => ({ orgId: a, userId: a, connectId: b })),
  );
  pairs.forEach(([a, b], i) =>
    assert.equal(decisions[i]?.allowed, a === b, JSON.stringify([a, b]))
  );
}

async function similarIdentifiers({ authorizer, fill }: AuthorizerHarness): Promise<void> {
  const nfc = "jos\u00e9";
  await fill({
    hosts: [host({ userIds: ["alice", nfc] })],
    teams: [],
    users: [alice, { userId: nfc, orgId: "acme" }],
  });
  assert.equal((await authorizer.authorize({ ...ALICE, userId: nfc })).allowed, true);
  for (
    const userId of [nfc.normalize("NFD"), "Alice", "alice ", " alice", "alicе", "alic", "alicee"]
  ) {
    assert.deepEqual(
      await authorizer.authorize({ ...ALICE, userId }),
      { allowed: false, cause: "unknown_user" },
      userId,
    );
  }
}

async function impossibleIdentifiers({ authorizer, fill }: AuthorizerHarness): Promise<void> {
  await fill({ hosts: [host()], teams: [], users: [alice] });
  const impossible = ["\0", "alice\0", "alice\0x", "\ud800", "alice\udfff", "x".repeat(10_240)];
  for (const text of impossible) {
    const requests = [
      { ...ALICE, connectId: text },
      { ...ALICE, userId: text },
      { ...ALICE, orgId: text },
      ALICE,
    ];
    const causes = (await authorizer.authorizeAll(requests)).map((d) => d.allowed || d.cause);
    assert.deepEqual(causes, ["unknown_host", "unknown_user", "other_org", true]);
  }
}

async function manyRequests({ authorizer, fill }: AuthorizerHarness): Promise<void> {
  const ids = Array.from({ length: 1_200 }, (_, i) => `host-${i}`);
  await fill({
    hosts: ids.map((connectId) => host({ connectId, address: `10.0.${connectId.length}.1:22` })),
    teams: [],
    users: [alice],
  });
  const requests = [...ids, "nowhere", ...ids.toReversed(), "host-1", "host-1"].map((
    connectId,
  ) => ({
    ...ALICE,
    connectId,
  }));
  const decisions = await authorizer.authorizeAll(requests);
  assert.equal(decisions.length, requests.length);
  for (const [i, { connectId }] of requests.entries()) {
    const decision = decisions[i];
    assert.equal(
      decision?.allowed ? decision.address : decision?.cause,
      connectId === "nowhere" ? "unknown_host" : `10.0.${connectId.length}.1:22`,
    );
  }
  assert.deepEqual(await authorizer.authorizeAll([]), []);
}

async function seesChanges({ authorizer, fill }: AuthorizerHarness): Promise<void> {
  const allowed = async () => (await authorizer.authorize(ALICE)).allowed;
  const rows = { hosts: [host()], teams: [], users: [alice] };
  await fill(rows);
  assert.equal(await allowed(), true);
  await fill({ ...rows, hosts: [host({ userIds: [] })] });
  assert.equal(await allowed(), false);
  await fill({ ...rows, users: [] });
  assert.equal(await allowed(), false);
  await fill(rows);
  assert.equal(await allowed(), true);
}

async function afterClose({ authorizer, fill }: AuthorizerHarness): Promise<void> {
  await fill({ hosts: [host()], teams: [], users: [alice] });
  assert.equal((await authorizer.authorize(ALICE)).allowed, true);
  await authorizer.close();
  await authorizer.close();
  const unavailable = { allowed: false, cause: "unavailable" };
  assert.deepEqual(await authorizer.authorize(ALICE), unavailable);
  assert.deepEqual(await authorizer.authorizeAll([ALICE, ALICE]), [unavailable, unavailable]);
}
