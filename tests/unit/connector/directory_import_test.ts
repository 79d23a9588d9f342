import assert from "node:assert/strict";
import {
  createSqliteAuthorizer,
  type Directory,
  importDirectory,
  openDirectory,
  replaceDirectory,
} from "../../../lib/connector/mod.ts";
import { temporaryFolder } from "../../support/temporary_folder.ts";

const TOML = `
[[users]]
user_id = "alice"
org_id = "acme"
public_keys = ["ssh-ed25519 AAAA"]

[[users]]
user_id = "bob"
org_id = "acme"

[[teams]]
team_id = "ops, day"
org_id = "acme"
user_ids = ["bob"]

[[hosts]]
connect_id = "host-1"
internal_ip_addr = "10.0.0.5:22"
org_id = "acme"
user_ids = ["alice"]
team_ids = ["ops, day"]
host_user = "root"

[[hosts]]
connect_id = "host-2"
internal_ip_addr = "fd00::5"
org_id = "acme"
`;

const CSV = `kind,id,org_id,internal_ip_addr,host_user,user_ids,team_ids,public_keys\r
user,alice,acme,,,,,ssh-ed25519 AAAA\r
user,bob,acme,,,,,\r
\r
team,"ops, day",acme,,,bob,,\r
host,host-1,acme,10.0.0.5:22,root,alice,"ops, day",\r
host,host-2,acme,fd00::5,,,,
`;

const DIRECTORY: Directory = {
  hosts: [
    {
      connectId: "host-1",
      internalIpAddr: "10.0.0.5:22",
      orgId: "acme",
      userIds: ["alice"],
      teamIds: ["ops, day"],
      hostUser: "root",
    },
    { connectId: "host-2", internalIpAddr: "fd00::5", orgId: "acme", userIds: [], teamIds: [] },
  ],
  teams: [{ teamId: "ops, day", orgId: "acme", userIds: ["bob"] }],
  users: [
    { userId: "alice", orgId: "acme", publicKeys: ["ssh-ed25519 AAAA"] },
    { userId: "bob", orgId: "acme", publicKeys: [] },
  ],
};

Deno.test("importDirectory() reads the same from TOML and from CSV", () => {
  assert.deepEqual(importDirectory(TOML, "toml"), { ok: true, directory: DIRECTORY });
  assert.deepEqual(importDirectory(CSV, "csv"), { ok: true, directory: DIRECTORY });
  assert.deepEqual(importDirectory(`\ufeff${CSV}`, "csv"), { ok: true, directory: DIRECTORY });
});

Deno.test("importDirectory() takes a host whose address is the route's, by that word alone", () => {
  const read = (address: string) =>
    importDirectory(`[[hosts]]\nconnect_id = "h"\norg_id = "o"\n${address}`, "toml");
  const found = read('internal_ip_addr = "route"');
  assert.ok(found.ok);
  assert.equal(found.directory.hosts[0]?.internalIpAddr, "route");
  for (const other of ['internal_ip_addr = "Route"', 'internal_ip_addr = ""', ""]) {
    assert.equal(read(other).ok, false, other);
  }
});

Deno.test("importDirectory() reads an empty directory", () => {
  const empty = { ok: true, directory: { hosts: [], teams: [], users: [] } };
  assert.deepEqual(importDirectory("", "toml"), empty);
  assert.deepEqual(importDirectory("kind,id\n", "csv"), empty);
});

function problems(text: string, format: "toml" | "csv"): string[] {
  const result = importDirectory(text, format);
  return result.ok ? [] : result.problems.map(({ line, message }) => `${line}: ${message}`);
}

Deno.test("importDirectory() finds every problem of a TOML file with its line", () => {
  const text = `
[[users]]
user_id = "alice"
org_id = "acme"
[[users]]
user_id = "alice"
org_id = "globex corp"
pubic_keys = []
[[teams]]
team_id = 7
org_id = "acme"
user_ids = "alice"
[[hosts]]
connect_id = "Host.1"
internal_ip_addr = "db.internal"
org_id = "globex"
user_ids = ["alice", "nobody"]
team_ids = ["ops"]
[[hosts]]
connect_id = "host-2"
[[machines]]
`;
  assert.deepEqual(problems(text, "toml"), [
    '6: user_id: "alice" is already on line 3',
    "7: org_id: a character is not allowed in a SPIFFE ID",
    '8: a user has no "pubic_keys"; did you mean public_keys?',
    "10: team_id is not a text",
    "12: user_ids is not a list of texts",
    "14: connect_id: the host is more than one label below the domain",
    "15: internal_ip_addr: it is not an IP address",
    '17: user_ids: "alice" belongs to another organisation',
    '17: user_ids: there is no "nobody"',
    '18: team_ids: there is no "ops"',
    "19: org_id is missing",
    "19: internal_ip_addr is missing",
    '21: "machines" is none of [[hosts]], [[teams]] and [[users]]',
  ]);
});

Deno.test("importDirectory() finds every problem of a CSV file with its line", () => {
  const text = `kind,id,org_id,internal_ip_addr,user_ids
user,alice,acme,,
user,alice,acme,,
host,"host
1",acme,10.0.0.5,alice
host,host-2,acme,,alice;
team,,acme,,bob
machine,m,acme,,
user,carol,acme
user,dave,acme,10.0.0.1,
`;
  assert.deepEqual(problems(text, "csv"), [
    '3: user_id: "alice" is already on line 2',
    "4: connect_id: a character is not allowed in a host label",
    "6: internal_ip_addr is missing",
    "6: user_ids is not a list of texts",
    "7: team_id is missing",
    '7: user_ids: there is no "bob"',
    '8: kind "machine" is none of host, team and user',
    "9: there are 3 fields and 5 columns",
    '10: a user has no "internal_ip_addr"',
  ]);
});

Deno.test("importDirectory() says where a file stops being TOML or CSV", () => {
  assert.match(problems('[[users]]\nuser_id = "a', "toml").join(), /^2: /);
  assert.match(problems("users = 1", "toml").join(), /^1: users is not written as/);
  assert.match(problems("[users]\na = 1", "toml").join(), /^1: users is not written as/);
  assert.match(problems('kind,id\nuser,"a"b\n', "csv").join(), /^2: a quote is out of place/);
  assert.match(problems('kind,id\nuser,"a\n\nb', "csv").join(), /^2: a quote is out of place/);
  assert.deepEqual(problems("kind,name,kind\n", "csv"), [
    '1: header: "name" is unknown',
    "1: header: kind comes twice",
    "1: header: id is missing",
  ]);
});

Deno.test("importDirectory() refuses texts that a database cannot hold", () => {
  const text = '[[teams]]\nteam_id = "a\\u0000b"\norg_id = "acme"\n';
  assert.deepEqual(problems(text, "toml"), ["2: team_id: it holds NUL or broken Unicode"]);
});

Deno.test("openDirectory() and replaceDirectory() make the imported rows decide", async () => {
  using folder = temporaryFolder();
  {
    const path = `${folder.path}/connector.db`;
    using database = openDirectory(path);
    replaceDirectory(database, DIRECTORY);
    const { mode } = await Deno.stat(path);
    assert.equal((mode ?? 0) & 0o777, 0o600);
    const authorizer = createSqliteAuthorizer({ database });
    const decide = (userId: string, connectId: string) =>
      authorizer.authorize({ orgId: "acme", userId, connectId });
    const allowed = { allowed: true, address: "10.0.0.5:22", hostUser: "root" };
    assert.deepEqual(await decide("alice", "host-1"), allowed);
    assert.deepEqual(await decide("bob", "host-1"), allowed);
    assert.equal((await decide("alice", "host-2")).allowed, false);

    // Another process imports meanwhile.
    {
      using other = openDirectory(path);
      replaceDirectory(other, { ...DIRECTORY, users: [] });
    }
    assert.deepEqual(await decide("alice", "host-1"), { allowed: false, cause: "unknown_user" });
  }
});

Deno.test("replaceDirectory() leaves the rows as they were when it fails", () => {
  using folder = temporaryFolder();
  {
    using database = openDirectory(`${folder.path}/connector.db`);
    replaceDirectory(database, DIRECTORY);
    const twice = [...DIRECTORY.users, ...DIRECTORY.users];
    assert.throws(() => replaceDirectory(database, { hosts: [], teams: [], users: twice }));
    assert.equal(database.prepare("SELECT count(*) AS n FROM backend_hosts").get()?.n, 2);
    assert.equal(database.isTransaction, false);
  }
});
