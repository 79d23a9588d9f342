import assert from "node:assert/strict";
import { Drift } from "../../lib/control/mod.ts";
import type { State } from "../../lib/state/mod.ts";
import { ControlUnderTest, type World } from "./control_fixture.ts";
import { createServerIdentity } from "../support/certificates.ts";
import { eventually } from "../support/deadline.ts";
import { fuzzTest, type Random } from "../support/fuzz.ts";

const OPERATION = { actor: "test", action: "Step" };
const STEPS = 400;
const LISTENER = `127.77.${Deno.pid % 250}.11:4430`;
const NAMES = ["a", "b", "c", "*"].map((name) => `${name}.example`);
const HOUR = 3_600_000;

async function createWorld(): Promise<World> {
  const { certPem, keyPem } = await createServerIdentity("a.example");
  const pem = new TextEncoder().encode(certPem + keyPem);
  const readFile = () => Promise.resolve(pem);
  return { now: Date.parse("2026-01-01"), readFile, addr: LISTENER };
}

function routeOf(random: Random, hostname: string) {
  const mode = random.pick(["l4", "l7"] as const);
  const tls = mode === "l7" ? "a.pem" : "";
  return {
    hostname,
    backend: `192.0.2.1:${1 + random.below(2)}`,
    mode,
    tlsCert: tls,
    tlsKey: tls,
    backendTls: false,
    sendProxyProtocol: false,
  };
}

const policyOf = (random: Random) => {
  return { type: "require_header", value: random.pick(["x-a", "x-b"]) } as const;
};

function ruleOf(random: Random) {
  return {
    ...{ type: "ip", value: `192.0.2.${random.below(4)}` } as const,
    reason: random.pick(["", "auto: it hammered"]),
    ...random.below(3) === 0 && { action: "allow" as const },
  };
}

const some = (random: Random, names: readonly string[]) => names.filter(() => random.below(2) > 0);

/** What a file may name: any part of a state, and any of what the steps below make. */
function wantedOf(random: Random, now: number): State {
  const routes = some(random, NAMES).map((hostname) => {
    const route = routeOf(random, hostname);
    return route.mode === "l7" ? { ...route, policies: [policyOf(random)] } : route;
  });
  const settings = { addr: LISTENER, proxyProtocol: false, maxConnections: 0, trustedProxies: [] };
  const rules = some(random, ["0", "1", "2", "3"]).map((last) => ({
    ...ruleOf(random),
    value: `192.0.2.${last}`,
    ...random.below(3) === 0 && { expiresAt: now + (random.below(2) - 1) * HOUR + HOUR / 2 },
  }));
  return {
    ...random.below(4) > 0 && { listeners: [{ ...settings, routes }] },
    ...random.below(4) > 0 && { rules },
    ...random.below(2) > 0 && { rateLimit: { limit: random.below(3), windowMs: 1000 } },
  };
}

/** A random change, which may be refused. */
function change({ control }: ControlUnderTest, random: Random): Promise<unknown> {
  const [addr, hostname] = [LISTENER, random.pick(NAMES)];
  const route = routeOf(random, hostname);
  const policy = policyOf(random);
  const rule = ruleOf(random);
  const ttlMs = random.below(2) === 0 ? HOUR : undefined;
  const { routing, firewall } = control;
  return random.pick([
    () => routing.addRoute(addr, route, OPERATION),
    () => routing.updateRoute({ addr, hostname, change: () => route, close: false }, OPERATION),
    () => routing.removeRoute({ addr, hostname, close: false }, OPERATION),
    () => routing.addPolicy({ addr, hostname, policy }, OPERATION),
    () => routing.removePolicy({ addr, hostname, policy }, OPERATION),
    () => firewall.addRule({ rule, ttlMs, close: false }, OPERATION),
    () => firewall.removeRule(rule, OPERATION, { orAllowing: true }),
    () => firewall.setRateLimit({ limit: random.below(3), windowMs: 1000 }, OPERATION),
  ])();
}

const dryRun = { dryRun: true, close: false };

fuzzTest("Drift counts change by change what a comparison of everything finds", async (random) => {
  const world = await createWorld();
  await using tested = await ControlUnderTest.start(ControlUnderTest.newFolder(), world);
  const { wholeState, state, firewall } = tested.control;
  let compared = 0;
  const counting = {
    apply(...args: Parameters<typeof wholeState.apply>) {
      compared++;
      return wholeState.apply(...args);
    },
  } as typeof wholeState;
  let wanted = wantedOf(random, world.now);
  const options = { state, firewall, now: () => world.now, file: "a.toml", log: () => {} };
  using drift = new Drift(wanted, { ...options, wholeState: counting });
  let made = 0;
  for (let step = 0; step < STEPS; step++) {
    if (step % 40 === 0) await drift.look(wanted = wantedOf(random, world.now));
    await change(tested, random).then(() => made++, () => {});
    if (random.below(3) > 0) continue; // Several are looked at together.
    compared = 0;
    await drift.lookAgain();
    const { differences } = await wholeState.apply(wanted, dryRun, OPERATION);
    assert.equal(drift.differences, differences.length, `step ${step}`);
    assert.equal(compared, 0, "without comparing everything");
  }
  assert.ok(made > STEPS / 4, `${made} changes were made`);
});

Deno.test("Drift compares everything when a listener comes, when much has changed, and at another file", async () => {
  const world = await createWorld();
  await using tested = await ControlUnderTest.start(ControlUnderTest.newFolder(), world);
  const { wholeState, state, firewall, routing } = tested.control;
  const wanted = { rules: [] };
  const options = { state, firewall, wholeState, now: () => world.now, log: () => {} };
  using drift = new Drift(wanted, { ...options, file: "a.toml" });
  await drift.look();
  assert.equal(drift.differences, 0);
  const listener = { addr: LISTENER.replace(".11:", ".12:") };
  const settings = { proxyProtocol: false, maxConnections: 0, trustedProxies: [] };
  await routing.addListener({ ...listener, ...settings }, OPERATION);
  const rules = Array.from({ length: 1500 }, (_, i) => {
    return { type: "ip" as const, value: `198.51.${100 + (i >> 8)}.${i & 255}`, reason: "" };
  });
  await wholeState.apply({ rules }, { dryRun: false, close: false }, OPERATION);
  // Not at once: a comparison of everything rests a hundred times as long as it took.
  await eventually(async () => {
    await drift.lookAgain();
    return drift.differences === 1500;
  }, "everything is compared");
  await firewall.removeRule({ type: "ip", value: "198.51.100.0" }, OPERATION);
  await drift.lookAgain();
  assert.equal(drift.differences, 1499);
  await drift.look({ rules });
  assert.equal(drift.differences, 1);
});
