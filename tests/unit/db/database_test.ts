import assert from "node:assert/strict";
import {
  AlreadyExistsError,
  DatabaseError,
  type DatabaseErrorCode,
  NotFoundError,
  openDatabase,
} from "../../../lib/db/mod.ts";
import { withDatabase } from "../../support/databases.ts";
import { temporaryFolder } from "../../support/temporary_folder.ts";

const refusal = (code: DatabaseErrorCode, message: RegExp = /./) => (error: unknown) => {
  assert(error instanceof DatabaseError, String(error));
  assert.equal(error.code, code);
  assert.match(error.message, message);
  return true;
};

const ROUTE = { hostname: "a.example", backend: "10.0.0.1:443" };
const FULL_ROUTE = {
  hostname: "*.b.example",
  backend: "[2001:db8::1]:443",
  mode: "mtls",
  tlsCert: "/c.pem",
  tlsKey: "/k.pem",
  backendTls: true,
  sendProxyProtocol: true,
} as const;

Deno.test("addListener() stores every field, and defaults", () => {
  withDatabase((db) => {
    const plain = db.addListener({ addr: ":443" });
    assert.deepEqual(plain, {
      id: 1,
      addr: ":443",
      proxyProtocol: false,
      maxConnections: 0,
      trustedProxies: [],
    });
    const full = db.addListener({
      addr: "[::1]:8443",
      proxyProtocol: true,
      maxConnections: 10,
      trustedProxies: ["10.0.0.1", "2001:db8::/32"],
    });
    assert.deepEqual(db.listeners(), [plain, full]);
  });
});

Deno.test("addListener() refuses an address that is taken, by class and code", () => {
  withDatabase((db) => {
    db.addListener({ addr: ":443" });
    assert.throws(() => db.addListener({ addr: ":443" }), AlreadyExistsError);
    assert.throws(
      () => db.addListener({ addr: ":443" }),
      refusal("already_exists", /^cannot add the listener ":443": it exists already$/),
    );
    assert.equal(db.listeners().length, 1);
  });
});

Deno.test("addListener() refuses a negative limit", () => {
  withDatabase((db) => {
    const add = () => db.addListener({ addr: ":443", maxConnections: -1 });
    assert.throws(add, refusal("invalid_value"));
  });
});

Deno.test("removeListener() removes the routes too", () => {
  withDatabase((db) => {
    const first = db.addListener({ addr: ":443" }).id;
    const second = db.addListener({ addr: ":8443" }).id;
    db.addRoute(first, ROUTE);
    db.addRoute(second, ROUTE);
    db.removeListener(first);
    assert.deepEqual(db.listeners().map(({ id }) => id), [second]);
    assert.deepEqual(db.routes(first), []);
    assert.equal(db.routes(second).length, 1);
  });
});

Deno.test("addRoute() stores every field, and an l4 route by default", () => {
  withDatabase((db) => {
    const { id } = db.addListener({ addr: ":443" });
    const plain = db.addRoute(id, ROUTE);
    assert.deepEqual(plain, {
      id: 1,
      listenerId: id,
      ...ROUTE,
      mode: "l4",
      tlsCert: "",
      tlsKey: "",
      backendTls: false,
      sendProxyProtocol: false,
    });
    const full = db.addRoute(id, FULL_ROUTE);
    assert.deepEqual(full, { id: 2, listenerId: id, ...FULL_ROUTE });
    assert.deepEqual(db.routes(id), [plain, full]);
  });
});

Deno.test("addRoute() takes a hostname once per listener", () => {
  withDatabase((db) => {
    const first = db.addListener({ addr: ":443" }).id;
    const second = db.addListener({ addr: ":8443" }).id;
    db.addRoute(first, ROUTE);
    db.addRoute(second, ROUTE);
    assert.throws(() => db.addRoute(first, ROUTE), AlreadyExistsError);
  });
});

Deno.test("addRoute() refuses a listener that does not exist", () => {
  withDatabase((db) => {
    assert.throws(() => db.addRoute(1, ROUTE), NotFoundError);
    assert.throws(() => db.addRoute(1, ROUTE), refusal("not_found"));
  });
});

Deno.test("updateRoute() replaces every field and keeps the id", () => {
  withDatabase((db) => {
    const { id: listenerId } = db.addListener({ addr: ":443" });
    const { id } = db.addRoute(listenerId, FULL_ROUTE);
    const updated = db.updateRoute(id, ROUTE);
    assert.deepEqual(updated, db.routes(listenerId)[0]);
    assert.equal(updated.id, id);
    assert.equal(updated.mode, "l4");
    assert.equal(updated.sendProxyProtocol, false);
  });
});

Deno.test("updateRoute() refuses another route's hostname and leaves both as they were", () => {
  withDatabase((db) => {
    const { id: listenerId } = db.addListener({ addr: ":443" });
    db.addRoute(listenerId, ROUTE);
    const { id } = db.addRoute(listenerId, FULL_ROUTE);
    const before = db.routes(listenerId);
    assert.throws(() => db.updateRoute(id, ROUTE), AlreadyExistsError);
    assert.deepEqual(db.routes(listenerId), before);
  });
});

Deno.test("removeRoute() removes one route", () => {
  withDatabase((db) => {
    const { id } = db.addListener({ addr: ":443" });
    const route = db.addRoute(id, ROUTE);
    const other = db.addRoute(id, FULL_ROUTE);
    db.removeRoute(route.id);
    assert.deepEqual(db.routes(id), [other]);
  });
});

Deno.test("addFirewallRule() stores each type, and a value once", () => {
  withDatabase((db) => {
    const rules = [
      db.addFirewallRule({ type: "ip", value: "192.0.2.1" }),
      db.addFirewallRule({ type: "cidr", value: "10.0.0.0/8" }),
      db.addFirewallRule({ type: "country", value: "DE" }),
    ];
    assert.deepEqual(db.firewallRules(), rules);
    const again = () => db.addFirewallRule({ type: "country", value: "DE" });
    assert.throws(again, AlreadyExistsError);
    db.removeFirewallRule(rules[1]?.id ?? 0);
    assert.deepEqual(db.firewallRules().map(({ type }) => type), ["ip", "country"]);
  });
});

Deno.test("removing or updating what does not exist is refused", () => {
  withDatabase((db) => {
    for (
      const change of [
        () => db.removeListener(1),
        () => db.removeRoute(1),
        () => db.updateRoute(1, ROUTE),
        () => db.removeFirewallRule(1),
      ]
    ) assert.throws(change, NotFoundError);
  });
});

Deno.test.each([
  ["quotes", `a'b"c\`;DROP TABLE routes;--`],
  ["unicode", "ä😀\u202e"],
  ["a megabyte", "x".repeat(1_000_000)],
])("addRoute() stores %s as it is", (_what, text) => {
  withDatabase((db) => {
    const { id } = db.addListener({ addr: ":443" });
    db.addRoute(id, { ...ROUTE, tlsCert: text });
    assert.equal(db.routes(id)[0]?.tlsCert, text);
  });
});

Deno.test("a text with a NUL is refused, because the runtime would cut it", () => {
  withDatabase((db) => {
    const { id } = db.addListener({ addr: ":443" });
    const route = { ...ROUTE, hostname: "a.example\0.evil.example" };
    assert.throws(() => db.addRoute(id, route), refusal("invalid_value"));
    const { id: routeId } = db.addRoute(id, ROUTE);
    assert.throws(() => db.updateRoute(routeId, route), refusal("invalid_value"));
    assert.deepEqual(db.routes(id).map(({ hostname }) => hostname), ["a.example"]);
  });
});

Deno.test("rows survive closing and opening", () => {
  using folder = temporaryFolder();
  const file = `${folder.path}/a.db`;
  const written = (() => {
    using db = openDatabase(file);
    const { id } = db.addListener({ addr: ":443", trustedProxies: ["10.0.0.1"] });
    db.addRoute(id, FULL_ROUTE);
    db.addFirewallRule({ type: "ip", value: "192.0.2.1" });
    return [db.listeners(), db.routes(id), db.firewallRules()];
  })();
  using db = openDatabase(file);
  assert.deepEqual([db.listeners(), db.routes(1), db.firewallRules()], written);
});

Deno.test("a closed database refuses everything and may be closed again", () => {
  using folder = temporaryFolder();
  const db = openDatabase(`${folder.path}/a.db`);
  db.listeners();
  db[Symbol.dispose]();
  db[Symbol.dispose]();
  assert.throws(() => db.listeners(), refusal("failed"));
  assert.throws(() => db.transaction(() => {}), refusal("failed"));
});

Deno.test("10,000 routes are written in one transaction and read back", () => {
  withDatabase((db) => {
    const { id } = db.addListener({ addr: ":443" });
    db.transaction(() => {
      for (let i = 0; i < 10_000; i++) db.addRoute(id, { ...ROUTE, hostname: `h${i}.example` });
    });
    assert.equal(db.routes(id).length, 10_000);
  });
});
