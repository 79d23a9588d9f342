import assert from "node:assert/strict";
import {
  compileRoutes,
  DuplicateRouteError,
  namelessRoute,
  type Route,
} from "../../../lib/routes/mod.ts";

function route(hostname: string, id = 1): Route {
  return {
    id,
    hostname,
    backend: "192.0.2.1:443",
    mode: "l4",
    tlsCert: "",
    tlsKey: "",
    backendTls: false,
    sendProxyProtocol: false,
  };
}

function table(...hostnames: string[]) {
  return compileRoutes(hostnames.map((hostname, i) => route(hostname, i)));
}

Deno.test.each([
  ["example.net", "example.net"],
  ["www.example.net", "www.example.net"],
  ["other.example.net", "*.example.net"],
  ["a.b.example.net", "*.example.net"],
  ["a.www.example.net", "*.example.net"],
  ["dev.example.net", "*.example.net"],
  ["x.dev.example.net", "*.dev.example.net"],
  ["x.y.dev.example.net", "*.dev.example.net"],
  ["exact.dev.example.net", "exact.dev.example.net"],
  ["api.other.test", "*.test"],
  ["test", undefined],
  ["example.org", undefined],
  ["notexample.net", undefined],
  ["net", undefined],
])("match() of %s is %s", (name, want) => {
  const routes = table(
    "*.example.net",
    "example.net",
    "www.example.net",
    "*.dev.example.net",
    "exact.dev.example.net",
    "*.test",
  );
  assert.equal(routes.match(name)?.hostname, want);
});

Deno.test("match() of a wildcard does not need the name below it to be routed", () => {
  const routes = table("*.example.net");
  assert.equal(routes.match("example.net"), undefined);
  assert.equal(routes.match("a.example.net")?.hostname, "*.example.net");
});

Deno.test.each([
  [""],
  ["."],
  [".".repeat(253)],
  [".example.net"],
  ["a..example.net"],
  ["..example.net"],
  ["example.net."],
  ["a.example.net."],
  ["*.example.net."],
  ["__proto__"],
  ["constructor"],
  ["toString.hasOwnProperty"],
  ["a.".repeat(126) + "a"],
  ["\0.example.com"],
])("match() of the hostile name %j finds nothing", (name) => {
  assert.equal(table("*.example.net", "example.net", "*.com.").match(name), undefined);
});

Deno.test("match() finds a route named __proto__ only where there is one", () => {
  assert.equal(table("__proto__").match("__proto__")?.hostname, "__proto__");
  assert.equal(table("*.__proto__").match("x.__proto__")?.hostname, "*.__proto__");
  assert.equal(table("*.__proto__").match("__proto__"), undefined);
});

Deno.test("compileRoutes() refuses a hostname that occurs twice", () => {
  for (const hostname of ["example.net", "*.example.net"]) {
    assert.throws(
      () => table("other.test", hostname, hostname),
      (error) =>
        error instanceof DuplicateRouteError && error.code === "duplicate_route" &&
        error.hostname === hostname,
    );
  }
  assert.equal(table("example.net", "*.example.net").size, 2);
});

Deno.test("set() adds and replaces, delete() uncovers the next best route", () => {
  const routes = table("*.example.net", "www.example.net");
  routes.set(route("www.example.net", 7));
  routes.set(route("*.deep.example.net", 8));
  assert.equal(routes.size, 3);
  assert.equal(routes.match("www.example.net")?.id, 7);
  assert.equal(routes.match("x.deep.example.net")?.id, 8);

  assert.equal(routes.delete("*.deep.example.net"), true);
  assert.equal(routes.delete("*.deep.example.net"), false);
  assert.equal(routes.match("x.deep.example.net")?.hostname, "*.example.net");
  assert.equal(routes.delete("www.example.net"), true);
  assert.equal(routes.match("www.example.net")?.hostname, "*.example.net");
  assert.equal(routes.delete("*.example.net"), true);
  assert.equal(routes.match("www.example.net"), undefined);
  assert.deepEqual([...routes], []);
});

Deno.test("get() and the iterator know a route by its hostname as written", () => {
  const routes = table("*.example.net", "www.example.net");
  assert.equal(routes.get("*.example.net")?.id, 0);
  assert.equal(routes.get("x.example.net"), undefined);
  assert.deepEqual([...routes].map((r) => r.hostname).sort(), ["*.example.net", "www.example.net"]);
});

Deno.test("match() agrees with a scan over all routes for 20,000 names", () => {
  const labels = ["a", "b", "c", "example", "net"];
  const names: string[] = [];
  for (const x of labels) {
    for (const y of labels) {
      names.push(`${x}.${y}`);
      for (const z of labels) names.push(`${x}.${y}.${z}`);
    }
  }
  const hostnames = names.filter((_, i) => i % 3 === 0)
    .concat(names.filter((_, i) => i % 4 === 0).map((name) => `*.${name}`));
  const routes = table(...hostnames);
  for (const name of names.flatMap((n) => [n, ...names.map((m) => `${m}.${n}`)])) {
    const wildcard = hostnames
      .filter((h) => h.startsWith("*.") && name.endsWith(h.slice(1)))
      .sort((a, b) => b.length - a.length)[0];
    assert.equal(
      routes.match(name)?.hostname,
      hostnames.includes(name) ? name : wildcard,
      name,
    );
  }
});

Deno.test("match() gives the default route what neither a name nor a wildcard is for, as long as it is one", () => {
  const routes = compileRoutes([route("a.test"), route("*.wild.test"), {
    ...route("*"),
    isDefault: true,
  }]);
  const taken = (name: string) => routes.match(name)?.hostname;
  assert.deepEqual(["a.test", "x.wild.test", "wild.test", "b.test"].map(taken), [
    "a.test",
    "*.wild.test",
    "*",
    "*",
  ]);
  assert.equal(namelessRoute(routes)?.hostname, "*");
  // From one to the other, in either order.
  routes.set({ ...route("a.test"), isDefault: true });
  routes.set(route("*"));
  assert.equal(taken("b.test"), "a.test");
  routes.set({ ...route("a.test"), isDefault: true, mode: "l7" });
  assert.equal(namelessRoute(routes), undefined);
  routes.set(route("a.test"));
  assert.equal(taken("b.test"), undefined);
  routes.set({ ...route("*"), isDefault: true });
  routes.delete("*");
  assert.equal(taken("b.test"), undefined);
});
