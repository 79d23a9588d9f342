import assert from "node:assert/strict";
import { AlreadyExistsError, openDatabase, type Seed } from "../../../lib/db/mod.ts";
import { configOf, withRoute } from "../../support/configs.ts";
import { withDatabase } from "../../support/databases.ts";
import { temporaryFolder } from "../../support/temporary_folder.ts";

const ROUTE = { hostname: "a.example", backend: "10.0.0.1:443" };
const FULL_ROUTE = { ...ROUTE, hostname: "*.b.example", mode: "mtls" } as const;
const SEED: Seed = {
  listeners: [
    { addr: ":443", proxyProtocol: true, routes: [ROUTE, FULL_ROUTE] },
    { addr: ":8443", routes: [] },
  ],
  firewall: {
    blockedIps: ["192.0.2.1"],
    blockedCidrs: ["10.0.0.0/8"],
    blockedCountries: ["DE", "FR"],
  },
};
const NOTHING: Seed = {
  listeners: [],
  firewall: { blockedIps: [], blockedCidrs: [], blockedCountries: [] },
};

Deno.test("seed() fills a new database with everything", () => {
  withDatabase((db) => {
    assert.equal(db.seed(SEED), true);
    assert.deepEqual(db.listeners().map(({ addr, proxyProtocol }) => [addr, proxyProtocol]), [
      [":443", true],
      [":8443", false],
    ]);
    assert.deepEqual(db.routes(1).map(({ hostname }) => hostname), ["a.example", "*.b.example"]);
    assert.deepEqual(db.firewallRules().map(({ type, value }) => `${type} ${value}`), [
      "ip 192.0.2.1",
      "cidr 10.0.0.0/8",
      "country DE",
      "country FR",
    ]);
  });
});

Deno.test("seed() leaves a database with rows alone", () => {
  withDatabase((db) => {
    db.addFirewallRule({ type: "ip", value: "192.0.2.9" });
    assert.equal(db.seed(SEED), false);
    assert.deepEqual(db.listeners(), []);
  });
});

Deno.test("seed() does not bring back what an operator has removed", () => {
  using folder = temporaryFolder();
  const file = `${folder.path}/a.db`;
  {
    using db = openDatabase(file);
    db.seed(SEED);
    for (const { id } of db.listeners()) db.removeListener(id);
    for (const { id } of db.firewallRules()) db.removeFirewallRule(id);
  }
  using db = openDatabase(file);
  assert.equal(db.seed(SEED), false);
  assert.deepEqual(db.listeners(), []);
});

Deno.test("seed() with nothing leaves the database to be seeded later", () => {
  withDatabase((db) => {
    assert.equal(db.seed(NOTHING), false);
    assert.equal(db.seed(SEED), true);
  });
});

Deno.test("seed() writes nothing at all when a part is refused", () => {
  withDatabase((db) => {
    const broken = { ...SEED, firewall: { ...SEED.firewall, blockedIps: ["::1", "::1"] } };
    assert.throws(() => db.seed(broken), AlreadyExistsError);
    assert.deepEqual([db.listeners(), db.firewallRules()], [[], []]);
    assert.equal(db.seed(SEED), true);
  });
});

Deno.test("seed() takes a loaded configuration as it is", () => {
  withDatabase((db) => {
    const config = configOf(withRoute('[firewall]\nblocked_ips = ["::ffff:192.0.2.1"]'));
    assert.equal(db.seed(config), true);
    assert.deepEqual(db.routes(1).map(({ hostname }) => hostname), ["a.example"]);
    assert.deepEqual(db.firewallRules(), [{ id: 1, type: "ip", value: "192.0.2.1" }]);
  });
});
