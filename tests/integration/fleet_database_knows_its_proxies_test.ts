/**
 * Who a proxy of a fleet takes for its database, whom the database takes for a proxy, and what a role
 * that was stolen from one can do: what its own group lets it, and nothing else.
 */
import assert from "node:assert/strict";
import postgres from "postgres";
import { openFleet } from "../../lib/cli/fleet.ts";
import { loadConfig } from "../../lib/config/mod.ts";
import { openMemoryDatabase } from "../../lib/db/mod.ts";
import { FleetLink } from "../../lib/fleet/mod.ts";
import {
  createAuthority,
  createServerIdentity,
  issueCertificate,
  issueExpired,
} from "../support/certificates.ts";
import { createFleet, linkOptions, ROLE_PASSWORD } from "../support/fleet.ts";
import { postgresTest, startPostgres, type TestPostgres } from "../support/postgres.ts";
import { eventually } from "../support/deadline.ts";
import { temporaryFolder } from "../support/temporary_folder.ts";

postgresTest(
  "a fleet's database and its proxies know each other, and roles their own group",
  async () => {
    const identity = await createServerIdentity("localhost");
    await using server = await startPostgres({
      tls: identity,
      // Of the first role a certificate is wanted, of the second TLS and a password.
      access: ["hostssl all p1 127.0.0.1/32 cert", "hostnossl all p2 127.0.0.1/32 reject"],
      clientCa: identity.ca,
    });
    await createFleet(server, { edge: ["p1", "p2"], other: ["stranger"] });
    await serverIsVerified(server, identity);
    await proxyIsVerified(server, identity);
    await strangerIsKeptOut(server);
  },
);

type Identity = Awaited<ReturnType<typeof createServerIdentity>>;
type Tls = NonNullable<FleetLink["options"]["server"]["tls"]>;

async function ask(
  server: TestPostgres,
  role: string,
  there: { readonly host?: string; readonly password?: string; readonly tls?: Tls },
): Promise<number> {
  const { server: usual, ...rest } = linkOptions(server, { role });
  await using link = new FleetLink({ ...rest, server: { ...usual, host: "localhost", ...there } });
  return (await link.head(0)).epoch;
}

/** Another authority, another name, a time that is over, and no TLS at all. */
async function serverIsVerified(server: TestPostgres, identity: Identity): Promise<void> {
  const { ca, authority } = identity;
  assert.equal(await ask(server, "p2", { tls: { ca } }), 1);
  const other = await createAuthority({ commonName: "another root" });
  const refused = /PostgreSQL cannot be reached: .*(certificate|issuer|name|altname)/i;
  await assert.rejects(ask(server, "p2", { tls: { ca: other.certPem } }), refused);
  await assert.rejects(ask(server, "p2", { tls: {} }), refused);
  await assert.rejects(ask(server, "p2", { host: "127.0.0.1", tls: { ca } }), refused);
  await assert.rejects(ask(server, "p2", {}), /pg_hba\.conf|no encryption|rejects connection/);
  const expired = await issueExpired(authority, { dnsNames: ["localhost"], usages: ["server"] });
  await server.identify(expired);
  // Nothing else than the time is wrong with it; the server takes it in its own time.
  const isTaken = () => ask(server, "p2", { tls: { ca } }).then(() => true, isUnverified);
  await eventually(async () => await isTaken() === false, "the time is over");
  await server.identify(identity);
  await eventually(isTaken, "it is good again");
}

function isUnverified({ message }: Error): false {
  assert.match(message, /PostgreSQL cannot be reached: .*certificate/);
  return false;
}

/** A certificate of the right authority in the role's name, or the password. */
async function proxyIsVerified(
  server: TestPostgres,
  { authority, ca }: Identity,
): Promise<void> {
  const issue = async (by: typeof authority, commonName: string) => {
    const { certPem, keyPem } = await issueCertificate(by, { commonName, usages: ["client"] });
    return { cert: certPem, key: keyPem };
  };
  const own = await issue(authority, "p1");
  assert.equal(await ask(server, "p1", { password: "", tls: { ca, client: own } }), 1);
  const forged = await issue(await createAuthority({ commonName: "test root" }), "p1");
  const refused = [undefined, await issue(authority, "p2"), forged];
  for (const client of refused) {
    await assert.rejects(ask(server, "p1", { tls: { ca, ...client && { client } } }), /PostgreSQL/);
  }
  const expired = await issueExpired(authority, { commonName: "p1", usages: ["client"] });
  const client = { cert: expired.certPem, key: expired.keyPem };
  await assert.rejects(ask(server, "p1", { tls: { ca, client } }), /PostgreSQL/);
  await assert.rejects(
    ask(server, "p2", { password: "wrong", tls: { ca } }),
    /password authentication failed/,
  );
  await bySettings(server, { ...own, ca });
}

/** As the configuration of a proxy says it, without a password. */
async function bySettings(
  server: TestPostgres,
  pems: { readonly cert: string; readonly key: string; readonly ca: string },
): Promise<void> {
  using folder = temporaryFolder();
  for (const [name, text] of Object.entries(pems)) {
    await Deno.writeTextFile(`${folder.path}/${name}.pem`, text);
  }
  const loaded = loadConfig(`database.path = "${folder.path}/a.db"
    [state]
    source = "postgres"
    [state.postgres]
    host = "localhost"
    port = ${server.address.port}
    user = "p1"
    database = "${server.address.database}"
    ca = "${folder.path}/ca.pem"
    cert = "${folder.path}/cert.pem"
    key = "${folder.path}/key.pem"
    group = "edge"
    [state.local]
    name = "p1"
    [[listeners]]
    addr = "127.0.0.1:443"
  `);
  assert.ok(loaded.ok, JSON.stringify(loaded));
  using database = openMemoryDatabase();
  await using fleet = await openFleet(loaded.config, { database, log: () => {} });
  assert.equal(fleet?.joined?.position.revision, 1);
}

/** Whatever there is in the schema, also what nobody has thought of here. */
async function strangerIsKeptOut(server: TestPostgres): Promise<void> {
  const { host, port, database } = server.address;
  const sql = postgres({
    ...{ host, port, database, user: "stranger", password: ROLE_PASSWORD, max: 1 },
    onnotice: () => {},
  });
  try {
    await tablesKeepOut(server, sql);
    await functionsKeepOut(server, sql);
  } finally {
    await sql.end();
  }
}

async function tablesKeepOut(server: TestPostgres, sql: postgres.Sql): Promise<void> {
  const tables = await server.run(`
    SELECT c.relname AS name, c.relkind AS kind, c.relrowsecurity AS guarded,
      has_table_privilege('stranger', c.oid, 'SELECT') AS readable,
      has_table_privilege('stranger', c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE') AS writable,
      EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'group_name')
        AS of_group,
      EXISTS (SELECT FROM aclexplode(c.relacl) x WHERE x.grantee = 0) AS public
    FROM pg_class c WHERE c.relnamespace = 'mc_proxy_fleet'::regnamespace
      AND c.relkind IN ('r', 'v', 'm', 'S', 'p')`);
  assert.ok(tables.length >= 6);
  for (const { name, kind, guarded, readable, writable, of_group: ofGroup, ...row } of tables) {
    assert.ok(!row.public, `${name} is everybody's`);
    if (kind === "S") continue;
    assert.ok(!writable, `${name} can be written`);
    if (!readable || !ofGroup) {
      assert.ok(!readable || name === "migrations", `${name} is readable, and of no group`);
      continue;
    }
    assert.ok(guarded || kind === "v", `${name} shows all rows`);
    const found = await sql.unsafe(
      `SELECT * FROM mc_proxy_fleet.${name} WHERE group_name <> 'other'`,
    );
    assert.deepEqual([...found], [], name);
  }
}

/** Those that it may call ask whose group it is; each is called for another one. */
async function functionsKeepOut(server: TestPostgres, sql: postgres.Sql): Promise<void> {
  const functions = await server.run(`
    SELECT p.oid::regprocedure::text AS name, p.proname AS bare,
      (SELECT json_agg(format_type(t, NULL) ORDER BY n)
        FROM unnest(p.proargtypes) WITH ORDINALITY u (t, n)) AS types, p.prosecdef AS definer,
      p.proconfig::text AS config, has_function_privilege('stranger', p.oid, 'EXECUTE') AS callable,
      EXISTS (SELECT FROM aclexplode(p.proacl) x WHERE x.grantee = 0) AS public
    FROM pg_proc p WHERE p.pronamespace = 'mc_proxy_fleet'::regnamespace`);
  assert.ok(functions.length >= 10);
  for (const { name, bare, types, definer, config, callable, ...row } of functions) {
    assert.ok(!row.public, `${name} is everybody's`);
    assert.ok(!definer || /search_path/.test(config ?? ""), `${name} trusts its caller's path`);
    if (!callable || bare === "own_groups") continue;
    const values = (types as string[]).map((type, i) => i === 0 ? "'edge'" : sampleOf(type));
    await assert.rejects(
      sql.unsafe(`SELECT mc_proxy_fleet.${bare}(${values.join(", ")})`),
      { code: "42501", message: /does not belong to the group 'edge'/ },
      name,
    );
  }
}

function sampleOf(type: string): string {
  if (type.endsWith("[]")) return `'{}'::${type}`;
  const samples: Readonly<Record<string, string>> = {
    ...{ jsonb: "'[]'", json: "'[]'", uuid: "gen_random_uuid()", bytea: "'\\x00'", text: "'x'" },
    ...{ boolean: "true", "timestamp with time zone": "now()", interval: "'1 s'", name: "'p1'" },
  };
  return `${samples[type] ?? "1"}::${type}`;
}
