import assert from "node:assert/strict";
import { compileRoutes, httpsPlace, isNamed, type Route } from "../../../lib/routes/mod.ts";

const route = (hostname: string, mode: Route["mode"] = "l7", id = 1): Route => ({
  id,
  hostname,
  backend: "192.0.2.1:443",
  mode,
  tlsCert: "",
  tlsKey: "",
  backendTls: false,
  sendProxyProtocol: false,
});

const listener = (port: number, ...routes: Route[]) => ({
  port,
  isRedirect: false,
  routes: compileRoutes(routes),
});

const placeOf = (
  listeners: Parameters<typeof httpsPlace>[0],
  name = "a.example",
  isAllowed: (route: Route) => boolean = () => true,
) => httpsPlace(listeners, name, isAllowed)?.port;

const here = route("a.example");

Deno.test.each([
  [[8443], 8443],
  [[8443, 443], 443],
  [[443, 8443], 443],
  [[443, 444], 443],
  // 443 comes first although another port is lower, and although it comes later.
  [[442, 443], 443],
  [[443, 442], 443],
  [[9443, 8443], 8443],
  [[8443, 9443], 8443],
  [[], undefined],
] as [number[], number | undefined][])("httpsPlace() among ports %j is %s", (ports, want) => {
  assert.equal(placeOf(ports.map((port) => listener(port, here))), want);
});

Deno.test("httpsPlace() gives the route that is there", () => {
  const place = httpsPlace([listener(443, here)], "a.example", () => true);
  assert.deepEqual(place, { port: 443, route: here });
});

Deno.test("httpsPlace() of two addresses with one port is the first", () => {
  const there = { ...here, id: 2 };
  for (const port of [443, 8443]) {
    const place = httpsPlace(
      [listener(port, here), listener(port, there)],
      "a.example",
      () => true,
    );
    assert.equal(place?.route.id, 1, String(port));
  }
});

Deno.test("httpsPlace() passes over listeners that nobody can be sent to", () => {
  assert.equal(placeOf([{ ...listener(443, here), isRedirect: true }, listener(8443, here)]), 8443);
  assert.equal(placeOf([listener(443, route("b.example")), listener(8443, here)]), 8443);
  assert.equal(placeOf([listener(443, route("a.example", "l4")), listener(8443, here)]), 8443);
  assert.equal(placeOf([listener(443, route("*.example"))]), 443);
  const refused = { ...here, id: 2 };
  const allowed = ({ id }: Route) => id !== 2;
  assert.equal(placeOf([listener(443, refused), listener(8443, here)], "a.example", allowed), 8443);
  // Any name would be that of a default route.
  const any = { ...route("other.example"), isDefault: true };
  assert.equal(placeOf([listener(443, any)], "evil.example"), undefined);
});

Deno.test.each([
  ["a.example", "a.example", true],
  ["a.example", "b.example", false],
  ["a.example", "x.a.example", false],
  ["*.example", "a.example", true],
  ["*.example", "b.a.example", true],
  ["*.example", "example", false],
  ["*.example", "badexample", false],
])("isNamed() of a route for %s and the name %s is %j", (hostname, name, want) => {
  assert.equal(isNamed({ hostname }, name), want);
});
