import assert from "node:assert/strict";
import { create } from "@bufbuild/protobuf";
import { ListenerSchema, RouteSchema, StateSchema } from "../../lib/admin/gen/mod.ts";
import { loadConfig } from "../../lib/config/mod.ts";
import { stateFieldName, stateFromMessage } from "../../lib/messages/mod.ts";
import { runAtOnce } from "../../lib/slices/mod.ts";
import { MAX_LISTENERS, MAX_ROUTES, MAX_RULES } from "../../lib/state/mod.ts";
import { createServerIdentity } from "../support/certificates.ts";
import { ControlUnderTest, type World } from "./control_fixture.ts";

const BY = { actor: "test", action: "Test" };

const { certPem, keyPem } = await createServerIdentity("a.test");
const pem = new TextEncoder().encode(`${certPem}${keyPem}`);

const world: World = {
  now: Date.parse("2026-01-01"),
  readFile: () => Promise.resolve(pem),
  addr: `127.78.${Deno.pid % 250}.9:4430`,
  limits: { listeners: 2, routes: 3, policies: 1, rules: 2 },
};

const route = (hostname: string) => ({
  hostname,
  backend: "192.0.2.1:443",
  mode: "l4" as const,
  tlsCert: "",
  tlsKey: "",
  backendTls: false,
  sendProxyProtocol: false,
});

Deno.test("what is added one by one is refused past its bound, and taken again below it", async () => {
  await using tested = await ControlUnderTest.start(ControlUnderTest.newFolder(), world);
  const { routing, firewall } = tested.control;
  for (const name of ["a.test", "b.test", "c.test"]) {
    await routing.addRoute(world.addr, route(name), BY);
  }
  const full = (what: string, most: number) => ({
    code: "failed_precondition",
    message: `${what}: holds ${most}, and not more than ${most}`,
  });
  await assert.rejects(routing.addRoute(world.addr, route("d.test"), BY), full("routes", 3));
  await routing.removeRoute({ addr: world.addr, hostname: "a.test", close: false }, BY);
  await routing.addRoute(world.addr, route("d.test"), BY);

  const l7 = { ...route("a.test"), mode: "l7" as const, tlsCert: "/c.pem", tlsKey: "/k.pem" };
  await routing.removeRoute({ addr: world.addr, hostname: "b.test", close: false }, BY);
  await routing.addRoute(world.addr, l7, BY);
  const policy = (value: string) => ({
    addr: world.addr,
    hostname: "a.test",
    policy: { type: "block_user_agent" as const, value },
  });
  await routing.addPolicy(policy("one"), BY);
  await assert.rejects(routing.addPolicy(policy("two"), BY), full("policies", 1));
  await routing.removePolicy(policy("one"), BY);
  await routing.addPolicy(policy("two"), BY);

  const rule = (i: number) => ({
    rule: { type: "ip" as const, value: `192.0.2.${i}`, reason: "" },
    close: false,
  });
  for (const i of [1, 2]) await firewall.addRule(rule(i), BY);
  await assert.rejects(firewall.addRule(rule(3), BY), full("rules", 2));
  await firewall.removeRule({ type: "ip", value: "192.0.2.1" }, BY);
  await firewall.addRule(rule(3), BY);

  const listener = (port: number) => ({
    addr: world.addr.replace(/\d+$/, `${port}`),
    proxyProtocol: false,
    maxConnections: 0,
    trustedProxies: [],
  });
  await routing.addListener(listener(4431), BY);
  await assert.rejects(routing.addListener(listener(4432), BY), full("listeners", 2));
  assert.equal(tested.describe().served, tested.describe().stored);
});

/** Of one object many times: only how many there are is looked at. */
const many = <T>(count: number, value: T): T[] => Array<T>(count).fill(value);

Deno.test("a whole state that is too large is refused at once, by the path of what is", () => {
  const problemsOf = (state: object) => {
    const { report } = runAtOnce(stateFromMessage({ ...create(StateSchema), ...state }));
    return report.problems.map(({ key, message }) => `${stateFieldName(key)}: ${message}`);
  };
  const listener = { listener: create(ListenerSchema, { addr: ":443" }), routes: [] };
  assert.deepEqual(
    problemsOf({ listeners: { listeners: many(MAX_LISTENERS + 1, listener) } }),
    [`state.listeners: holds ${MAX_LISTENERS + 1}, more than ${MAX_LISTENERS}`],
  );
  const routes = many(MAX_ROUTES + 1, {
    route: create(RouteSchema, { hostname: "a.test" }),
    policies: [],
  });
  assert.deepEqual(
    problemsOf({ listeners: { listeners: [{ ...listener, routes }] } }),
    [`state.listeners[0].routes: holds ${MAX_ROUTES + 1}, more than ${MAX_ROUTES}`],
  );
  assert.deepEqual(
    problemsOf({ firewall: { rules: many(MAX_RULES + 1, { type: "ip", value: "192.0.2.1" }) } }),
    [`state.firewall.rules: holds ${MAX_RULES + 1}, more than ${MAX_RULES}`],
  );
});

Deno.test("a configuration with too many listeners is refused by line, up to the bound it is not", () => {
  const listeners = (count: number) =>
    'database.path = "a"\n' +
    Array.from({ length: count }, (_, i) => `[[listeners]]\naddr = "127.0.0.1:${1000 + i}"\n`).join(
      "",
    );
  assert.ok(loadConfig(listeners(MAX_LISTENERS)).ok);
  const over = loadConfig(listeners(MAX_LISTENERS + 1));
  assert.ok(!over.ok);
  assert.deepEqual(
    over.problems.map(({ line, key, message }) => `${line}: ${key}: ${message}`),
    [`2: listeners: holds ${MAX_LISTENERS + 1}, more than ${MAX_LISTENERS}`],
  );
});
