import assert from "node:assert/strict";
import { openDatabase } from "../../../lib/db/mod.ts";
import { withDatabase } from "../../support/databases.ts";
import { temporaryFolder } from "../../support/temporary_folder.ts";

const ROUTE = { hostname: "a.example", backend: "10.0.0.1:443" };

Deno.test("transaction() commits all of its writes and returns the result", () => {
  withDatabase((db) => {
    const route = db.transaction(() => db.addRoute(db.addListener({ addr: ":443" }).id, ROUTE));
    assert.deepEqual(db.routes(1), [route]);
  });
});

Deno.test("transaction() undoes everything and rethrows the very error of its body", () => {
  withDatabase((db) => {
    const mine = new RangeError("mine");
    const body = () => {
      db.addRoute(db.addListener({ addr: ":443" }).id, ROUTE);
      throw mine;
    };
    assert.throws(() => db.transaction(body), (error) => error === mine);
    assert.deepEqual(db.listeners(), []);
    // The connection is usable, and not inside a transaction.
    db.addListener({ addr: ":443" });
  });
});

Deno.test("transaction() undoes only itself inside another one", () => {
  withDatabase((db) => {
    db.transaction(() => {
      db.addListener({ addr: ":1" });
      const inner = () =>
        db.transaction(() => {
          db.addListener({ addr: ":2" });
          throw new RangeError("inner");
        });
      assert.throws(inner, RangeError);
      db.transaction(() => db.addListener({ addr: ":3" }));
    });
    assert.deepEqual(db.listeners().map(({ addr }) => addr), [":1", ":3"]);
  });
});

Deno.test("transaction() refuses an async body and undoes what it did", async () => {
  using folder = temporaryFolder();
  using db = openDatabase(`${folder.path}/a.db`);
  let running = Promise.resolve();
  const body = () => {
    db.addListener({ addr: ":1" });
    running = Promise.resolve().then(() => void db.addListener({ addr: ":2" }));
    return running;
  };
  assert.throws(() => db.transaction(body), TypeError);
  await running;
  assert.deepEqual(db.listeners().map(({ addr }) => addr), [":2"]);
});
