import assert from "node:assert/strict";
import { type IpAddress, parseIp } from "../../../lib/addr/mod.ts";
import { compileFirewall, createFirewall } from "../../../lib/firewall/mod.ts";
import type { ConnectionQuery } from "../../../lib/plane/mod.ts";
import { compileRoutes, type Route } from "../../../lib/routes/mod.ts";
import type { Connection } from "../../../lib/server/connection_state.ts";
import { compileQuery } from "../../../lib/server/query.ts";

const firewall = createFirewall(
  compileFirewall([{ id: 5, type: "cidr", value: "198.51.100.0/24" }]),
);

function ip(text: string): IpAddress {
  const parsed = parseIp(text);
  assert(parsed.ok, text);
  return parsed.value;
}

function route(hostname: string): Route {
  return {
    id: 1,
    hostname,
    backend: "10.0.0.1:443",
    mode: "l4",
    backendTls: false,
    sendProxyProtocol: false,
  } as unknown as Route;
}

const first = route("a.test");
const listener = { id: 3, addr: ":443", routes: compileRoutes([first, route("b.test")]) };

/** A connection of 192.0.2.1, through the first route of a listener. */
function connection(change: object = {}): Connection {
  const client = { ip: ip("192.0.2.1"), port: 1 };
  return { listener, client, route: first, ...change } as unknown as Connection;
}

const matches = (query: ConnectionQuery, of: Connection = connection()) =>
  compileQuery(query, { firewall })(of);

Deno.test("a connection is stale when its route was replaced, were it by the same, and not before", () => {
  assert.equal(matches({ stale: true }), false);
  const before = connection({ route: route("a.test") });
  assert.equal(matches({ stale: true }, before), true);
  assert.equal(matches({ stale: false }, before), true);
  assert.equal(
    matches({ stale: true }, connection({ route: undefined })),
    false,
    "it has none yet",
  );
  const gone = connection({ route: route("gone.test") });
  assert.equal(matches({ stale: true }, gone), true);
});

Deno.test("a query means what all its parts mean, and everything without any", () => {
  assert.equal(matches({}), true);
  for (
    const [yes, no] of [
      [{ listenerId: 3 }, { listenerId: 4 }],
      [{ listener: ":443" }, { listener: ":444" }],
      [{ route: "a.test" }, { route: "b.test" }],
      [{ client: "192.0.2.0/24" }, { client: "192.0.2.2" }],
    ] as const
  ) {
    assert.equal(matches(yes), true);
    assert.equal(matches(no), false);
    assert.equal(matches({ ...yes, client: "10.0.0.1" }), false);
  }
  assert.throws(() => matches({ client: "nobody" }), TypeError);
});

Deno.test("a query for a rule means those that it would block now, and no other rule's", () => {
  const blocked = connection({ client: { ip: ip("198.51.100.9"), port: 1 } });
  assert.equal(matches({ blockedBy: 5 }, blocked), true);
  assert.equal(matches({ blockedBy: 6 }, blocked), false);
  assert.equal(matches({ blockedBy: 5 }), false);
});

Deno.test("a connection is at the backend that it has gone to, and while it waits for one at none", () => {
  const at = { backend: "10.0.0.1:443", path: "" };
  const other = "10.0.0.2:443";
  const several = { ...first, backends: [] } as unknown as Route;
  const mtls = { ...first, mode: "mtls" } as Route;
  assert.equal(matches(at), true, "the only one of l4");
  assert.equal(matches(at, connection({ route: several })), false, "it waits for a place");
  assert.equal(
    matches(at, connection({ route: mtls })),
    false,
    "it is not known where its host is",
  );
  for (const route of [first, several, mtls]) {
    assert.equal(matches(at, connection({ route, backend: "10.0.0.1:443" })), true);
    assert.equal(matches(at, connection({ route, backend: other })), false);
  }
});

Deno.test("a connection of l7 is where its carrier says, of the route or of a path", () => {
  const asked: unknown[] = [];
  const carrier = {
    usesBackend: (backend: unknown) => {
      asked.push(backend);
      return true;
    },
  };
  const l7 = connection({ route: { ...first, mode: "l7" }, carrier, backend: "10.0.0.9:1" });
  assert.equal(matches({ backend: "10.0.0.1:443", path: "exact /a" }, l7), true);
  assert.equal(matches({ backend: "10.0.0.1:443" }, l7), true);
  assert.deepEqual(asked, [
    { addr: "10.0.0.1:443", path: "exact /a" },
    { addr: "10.0.0.1:443", path: undefined },
  ]);
  assert.equal(matches({ backend: "10.0.0.1:443" }, connection({ route: l7.route })), false);
});
