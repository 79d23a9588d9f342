import assert from "node:assert/strict";
import { aloneBalancers } from "../../support/balancing.ts";
import { OutputPool } from "../../../lib/h2/mod.ts";
import { BackendPools } from "../../../lib/l7/backend_pools.ts";
import { DEFAULT_HTTP_LIMITS, EngineLimits } from "../../../lib/l7/http_limits.ts";
import type { TlsMaterial } from "../../../lib/l7/mod.ts";
import { Turns } from "../../../lib/http_io/mod.ts";
import { unlimitedDescriptors } from "../../../lib/observe/mod.ts";
import type { Route } from "../../../lib/routes/mod.ts";
import { pathRoute } from "../../../lib/state/mod.ts";

const LIMITS = new EngineLimits();
const SETTINGS = { connectTimeoutMs: 1000, h2Transport: "own", limits: LIMITS } as const;
const MATERIAL = { id: "m", certPem: "", keyPem: "" } as TlsMaterial;

function create(): BackendPools {
  const nobody = () => assert.fail("nothing is dialled");
  return new BackendPools({
    clock: { now: () => 0, wallNow: () => 0, every: () => () => {} },
    pool: new OutputPool(),
    turns: new Turns(() => 0),
    lookup: nobody,
    connect: nobody,
    onCrash: nobody,
    descriptors: unlimitedDescriptors,
    balancers: aloneBalancers(),
    settings: SETTINGS,
  });
}

function route(change: Partial<Route> = {}): Route {
  return {
    hostname: "a.test",
    backend: "10.0.0.1:443",
    mode: "l7",
    backendTls: true,
    sendProxyProtocol: false,
    ...change,
  } as Route;
}

/** What makes connections of one route unfit for another. */
const APART: Record<string, readonly [Partial<Route>, Partial<TlsMaterial>?]> = {
  "another backend": [{ backend: "10.0.0.1:444" }],
  "no TLS": [{ backendTls: false }],
  "a PROXY header": [{ sendProxyProtocol: true }],
  "another protocol": [{ backendProtocol: "h2" }],
  "a certificate that is verified": [{ backendTlsVerify: true }],
  "another name in TLS": [{ backendServerName: "b.test" }],
  "another authority": [{}, { backendCaPem: "other" }],
  "another time to connect": [{ connectTimeoutMs: 999 }],
};

for (const [what, [change, material]] of Object.entries(APART)) {
  Deno.test(`routes share connections, but for one with ${what}`, () => {
    const backends = create();
    const plain = backends.of(route(), MATERIAL);
    assert.equal(backends.of(route({ hostname: "b.test" }), MATERIAL), plain);
    const other = backends.of(route(change), { ...MATERIAL, ...material });
    assert.notEqual(other, plain);
    assert.equal(backends.size, 2);
    backends.destroy("over");
  });
}

Deno.test("BackendPools.prune() ends what no l7 route leads to, and keeps what one does", () => {
  const backends = create();
  const kept = backends.of(route(), MATERIAL);
  backends.of(route({ hostname: "b.test", backend: "10.0.0.2:443" }), MATERIAL);
  const current = (hostname: string) =>
    hostname === "a.test"
      ? [[route(), MATERIAL] as const]
      : [[route({ hostname, mode: "l4", backend: "10.0.0.2:443" }), MATERIAL] as const];
  backends.prune(current);
  assert.equal(backends.size, 2, "one is ending");
  backends.tick(1);
  assert.equal(backends.size, 1, "nothing was open in it");
  assert.equal(backends.of(route(), MATERIAL), kept);
  backends.destroy("over");
  assert.equal(backends.size, 0);
});

Deno.test("BackendPools.configure() makes later requests use pools of their own, if anything changed", () => {
  const backends = create();
  const before = backends.of(route(), MATERIAL);
  backends.configure({ ...SETTINGS });
  assert.equal(backends.of(route(), MATERIAL), before);
  const limits = new EngineLimits({ ...DEFAULT_HTTP_LIMITS, maxFields: 100 });
  const changes = [{ connectTimeoutMs: 2000 }, { h2Transport: "node" } as const, { limits }];
  for (const change of changes) {
    backends.configure({ ...SETTINGS, ...change });
    assert.notEqual(backends.of(route(), MATERIAL), before);
  }
  backends.configure(SETTINGS);
  assert.equal(backends.of(route(), MATERIAL), before);
  backends.destroy("over");
});

Deno.test("BackendPools.prune() keeps what a path alone leads to, until the path is gone", () => {
  const backends = create();
  const rule = { prefix: "/a", backend: "10.0.1.1:80" };
  const leading = route({ paths: [rule] });
  backends.of(pathRoute(leading, rule), MATERIAL);
  backends.prune(() => [[leading, MATERIAL]]);
  backends.tick(1);
  assert.equal(backends.size, 1);
  backends.prune(() => [[route(), MATERIAL]]);
  backends.tick(2);
  assert.equal(backends.size, 0);
  backends.destroy("over");
});
