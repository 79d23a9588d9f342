import assert from "node:assert/strict";
import { backendsOf, readStateFile, type Route, waysOf } from "../../../lib/state/mod.ts";

/** The route of a file with these lines of one path, or what is wrong with it. */
function routeOf(lines: string, ofRoute = "") {
  const file = readStateFile(`
    [[listeners]]
    addr = ":443"
    [[listeners.routes]]
    hostname = "a.example"
    mode = "l7"
    tls_cert = "/c"
    tls_key = "/k"
    ${ofRoute}
    [[listeners.routes.paths]]
    ${lines}
  `);
  if (!file.ok) return file.problems.map(({ key, message }) => `${key}: ${message}`);
  return file.state.listeners?.[0]?.routes[0];
}

const AT = "listeners[0].routes[0].paths[0]";
const TWO = 'backends = [{ addr = "10.0.0.1:80" }, { addr = "10.0.0.2:80", weight = 2 }]';

/** How a request of the path goes. */
function wayOf(lines: string, ofRoute?: string): Route | undefined {
  const route = routeOf(lines, ofRoute);
  assert.ok(route !== undefined && !Array.isArray(route), JSON.stringify(route));
  const [, way] = waysOf({ ...route, id: 7 } as Route);
  return way;
}

Deno.test("a path's list of one backend without settings is its plain form", () => {
  assert.deepEqual(
    routeOf('prefix = "/a"\nbackends = [{ addr = "10.0.0.1:80" }]'),
    routeOf('prefix = "/a"\nbackend = "10.0.0.1:80"'),
  );
});

Deno.test("a path's plain backend is the first of its list, and one of them is up", () => {
  assert.deepEqual(
    routeOf(`prefix = "/a"\nbackend = "10.0.0.1:80"\n${TWO}`),
    routeOf(`prefix = "/a"\n${TWO}`),
  );
  assert.deepEqual(routeOf(`prefix = "/a"\nbackend = "10.0.0.9:80"\n${TWO}`), [
    `${AT}.backend: is not the first of backends: leave it out`,
  ]);
  assert.deepEqual(routeOf('prefix = "/a"\nbackends = [{ addr = "a:1", state = "drain" }]'), [
    `${AT}.backends: none is up: the last backend cannot be taken out`,
  ]);
});

Deno.test("a path with an answer has no backends, and without backends nothing to balance or check", () => {
  assert.deepEqual(routeOf(`prefix = "/a"\n${TWO}\nrespond = { status = 200 }`), [
    `${AT}.respond: is too much beside backend`,
  ]);
  for (const [key, value] of [["balance", '"least"'], ["health", '{ kind = "tcp" }']] as const) {
    assert.deepEqual(routeOf(`prefix = "/a"\n${key} = ${value}`), [
      `${AT}.${key}: is too much without backends`,
    ]);
  }
});

Deno.test("a path has the route's balance and checks, and those that it says itself", () => {
  const ofRoute = 'backend = "10.0.0.9:80"\nbalance = "least"\nhealth = { kind = "tls" }\n' +
    "queue_length = 3";
  const inherited = wayOf(`prefix = "/a"\n${TWO}`, ofRoute);
  assert.equal(inherited?.balance, "least");
  assert.equal(inherited?.health?.kind, "tls");
  assert.equal(inherited?.queueLength, 3);
  assert.equal(inherited?.pathName, "prefix /a");
  assert.equal(inherited?.backend, "10.0.0.1:80");
  const own = 'balance = "source"\nhealth = { kind = "http" }';
  const said = wayOf(`exact = "/a"\n${own}\n${TWO}`, ofRoute);
  assert.deepEqual([said?.balance, said?.health?.kind, said?.pathName], [
    "source",
    "http",
    "exact /a",
  ]);
});

Deno.test("a path with one backend has nothing of what the route says of its own", () => {
  const ofRoute = 'backends = [{ addr = "10.0.0.8:80" }, { addr = "10.0.0.9:80" }]\n' +
    'health = { kind = "tls" }';
  const way = wayOf('prefix = "/a"\nbackend = "10.0.0.1:80"', ofRoute);
  assert.ok(way !== undefined);
  assert.equal(way.health, undefined);
  assert.deepEqual(backendsOf(way).map(({ addr }) => addr), ["10.0.0.1:80"]);
});

Deno.test("waysOf() leaves out paths that lead to the route's own backends", () => {
  const route = routeOf('prefix = "/a"\nskip_auth = true', 'backend = "10.0.0.9:80"');
  assert.ok(route !== undefined && !Array.isArray(route));
  assert.deepEqual([...waysOf({ ...route, id: 7 } as Route)], [{ ...route, id: 7 }]);
});

Deno.test("waysOf() knows no paths of routes that are not l7, where they mean nothing", () => {
  for (const mode of ["l4", "mtls"] as const) {
    const route = routeOf('prefix = "/a"\nbackend = "10.0.0.1:80"', 'backend = "10.0.0.9:80"');
    assert.ok(route !== undefined && !Array.isArray(route));
    const other = { ...route, id: 7, mode } as Route;
    assert.deepEqual([...waysOf(other)], [other]);
  }
});
