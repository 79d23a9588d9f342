import assert from "node:assert/strict";
import { ControlError } from "../../../lib/control/mod.ts";
import { compileListeners } from "../../../lib/control/stored_listeners.ts";
import { type Database, openDatabase } from "../../../lib/db/mod.ts";
import { temporaryFolder } from "../../support/temporary_folder.ts";

/** Compiles the listeners of a database that `fill` has written. */
async function compile(fill: (db: Database) => void) {
  using folder = temporaryFolder();
  using db = openDatabase(`${folder.path}/a.db`);
  fill(db);
  return await compileListeners(db.listeners(), db);
}

function withRoute(hostname: string, backend: string) {
  return (db: Database) => {
    const { id } = db.addListener({ addr: "127.0.0.1:443" });
    db.addRoute(id, { hostname, backend });
  };
}

Deno.test("compileListeners() takes rows in any spelling that parses", async () => {
  const [listener] = await compile((db) => {
    const { id } = db.addListener({ addr: ":443", trustedProxies: ["10.0.0.0/8", "::1"] });
    db.addRoute(id, { hostname: "WWW.Example.net.", backend: "[::1]:8443" });
  });
  assert.equal(listener?.port, 443);
  assert.equal(listener?.routes[0]?.hostname, "www.example.net");
});

Deno.test("compileListeners() takes an mtls route without a backend", async () => {
  const [listener] = await compile((db) => {
    const { id } = db.addListener({ addr: ":443" });
    db.addRoute(id, { hostname: "*.connect.test", backend: "", mode: "mtls" });
  });
  assert.equal(listener?.routes[0]?.backend, "");
});

Deno.test("compileListeners() settles port 0", async () => {
  const [listener] = await compile((db) => void db.addListener({ addr: "127.0.0.1:0" }));
  assert(listener !== undefined && listener.port > 0);
});

for (
  const [name, fill, message] of [
    [
      "a hostname",
      withRoute("a b", "192.0.2.1:1"),
      /^database: route 1 \("a b"\): the character " " \(a space\) is not allowed/,
    ],
    [
      "routes of a listener that redirects",
      (db: Database) => {
        const { id } = db.addListener({ addr: "127.0.0.1:80", kind: "redirect" });
        db.addRoute(id, { hostname: "a.test", backend: "192.0.2.1:1" });
      },
      /^database: routes of listener 1 \("127\.0\.0\.1:80"\): a listener of the kind "redirect" /,
    ],
    ["an empty hostname", withRoute("", "192.0.2.1:1"), /^database: route 1 \(""\): /],
    [
      "a wildcard",
      withRoute("a.*.test", "192.0.2.1:1"),
      /^database: route 1 \("a\.\*\.test"\): /,
    ],
    [
      "a hostname with a newline",
      withRoute("a\nb", "192.0.2.1:1"),
      /^database: route 1 \("a\\nb"\): [^\n]*$/,
    ],
    [
      "a backend",
      withRoute("a.test", "nonsense"),
      /^database: backend of route 1 \("a\.test"\): the port is missing$/,
    ],
    [
      "the address of a listener",
      (db: Database) => void db.addListener({ addr: "nonsense" }),
      /^database: listener 1 \("nonsense"\): the port is missing$/,
    ],
    [
      "a trusted proxy",
      (db: Database) => void db.addListener({ addr: ":1", trustedProxies: ["10.0.0.1/8"] }),
      /^database: trusted proxy of listener 1 \(":1"\): host bits are set/,
    ],
  ] as const
) {
  Deno.test(`compileListeners() refuses and names ${name} that does not parse`, async () => {
    await assert.rejects(compile(fill), (error) => {
      assert(error instanceof ControlError);
      assert.equal(error.code, "invalid_row");
      assert.match(error.message, message);
      return true;
    });
  });
}

Deno.test("compileListeners() refuses hostnames that differ in case or a trailing dot only", async () => {
  for (const second of ["A.Test", "a.test."]) {
    const twice = compile((db) => {
      const { id } = db.addListener({ addr: ":443" });
      db.addRoute(id, { hostname: "a.test", backend: "192.0.2.1:1" });
      db.addRoute(id, { hostname: second, backend: "192.0.2.2:1" });
    });
    await assert.rejects(
      twice,
      /^ControlError: database: route 2 \("a\.test"\): repeats the route 1$/,
    );
  }
});

Deno.test("compileListeners() refuses listeners that the kernel would share connections out to", async () => {
  for (const [first, second] of [[":443", "[::]:443"], [":443", "127.0.0.1:443"]] as const) {
    const overlapping = compile((db) => {
      db.addListener({ addr: first });
      db.addListener({ addr: second });
    });
    await assert.rejects(
      overlapping,
      /^ControlError: database: listener 2 .*overlaps the listener 1$/,
    );
  }
});
