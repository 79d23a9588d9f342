import assert from "node:assert/strict";
import { backendsOf, parseStatusRange, readStateFile } from "../../../lib/state/mod.ts";

/** The route of a file with these lines, or what is wrong with it. */
function routeOf(lines: string) {
  const file = readStateFile(
    `[[listeners]]\naddr = ":443"\n[[listeners.routes]]\nhostname = "a.example"\n${lines}\n`,
  );
  if (!file.ok) return file.problems.map(({ key, message }) => `${key}: ${message}`);
  return file.state.listeners?.[0]?.routes[0];
}

const AT = "listeners[0].routes[0]";

Deno.test("a list of one backend without settings is the plain form", () => {
  assert.deepEqual(
    routeOf('backends = [{ addr = "10.0.0.1:443" }]'),
    routeOf('backend = "10.0.0.1:443"'),
  );
});

Deno.test("a list of one backend with a setting stays one", () => {
  const route = routeOf('backends = [{ addr = "10.0.0.1:443", max_connections = 5 }]');
  assert.ok(route !== undefined && !Array.isArray(route) && "backends" in route);
  assert.equal(route.backend, "10.0.0.1:443");
  assert.deepEqual(backendsOf(route), [
    { addr: "10.0.0.1:443", weight: 1, backup: false, maxConnections: 5, state: "up" },
  ]);
});

Deno.test("the plain backend of a list is its first, written or not", () => {
  const list = 'backends = [{ addr = "10.0.0.1:443" }, { addr = "10.0.0.2:443" }]';
  assert.deepEqual(routeOf(`backend = "10.0.0.1:443"\n${list}`), routeOf(list));
  assert.deepEqual(routeOf(`backend = "10.0.0.2:443"\n${list}`), [
    `${AT}.backend: is not the first of backends: leave it out`,
  ]);
});

Deno.test("a route needs a backend that is up", () => {
  assert.deepEqual(routeOf(""), [`${AT}.backend: is missing`]);
  assert.deepEqual(
    routeOf('backends = [{ addr = "a:1", state = "down" }, { addr = "b:1", state = "drain" }]'),
    [`${AT}.backends: none is up: the last backend cannot be taken out`],
  );
});

Deno.test("two backends of one address are one too many, in any spelling", () => {
  assert.deepEqual(
    routeOf('backends = [{ addr = "[2001:DB8::1]:443" }, { addr = "[2001:db8:0::1]:443" }]'),
    [`${AT}.backends[1].addr: "[2001:db8::1]:443" repeats ${AT}.backends[0]`],
  );
});

Deno.test("a plain backend is a list of one", () => {
  assert.deepEqual(backendsOf({ backend: "a:1" }), [
    { addr: "a:1", weight: 1, backup: false, state: "up" },
  ]);
  assert.deepEqual(backendsOf({ backend: "" }), []);
});

Deno.test("the path and the status of a check can be asked for as they are", () => {
  const check = (settings: string) =>
    routeOf(`backend = "a:1"\nhealth = { kind = "http", ${settings} }`);
  for (const bad of ['path = "x"', 'path = "/a b"', 'path = "/#a"', 'path = "/\\r\\nX: y"']) {
    assert.ok(Array.isArray(check(bad)), bad);
  }
  for (const bad of ["600", "99", "399-200", "200-", "x", "200,204"]) {
    assert.ok(Array.isArray(check(`status = "${bad}"`)), bad);
  }
  assert.ok(!Array.isArray(check('path = "/healthz?x=%20", status = "204"')));
});

Deno.test("parseStatusRange() gives both ends of a range", () => {
  assert.deepEqual(parseStatusRange("204"), [204, 204]);
  assert.deepEqual(parseStatusRange("200-399"), [200, 399]);
  assert.equal(parseStatusRange("500-200"), undefined);
});
