import assert from "node:assert/strict";
import { DatabaseError, openDatabase } from "../../lib/db/mod.ts";
import { createServerIdentity } from "../support/certificates.ts";
import { createRandom, type Random } from "../support/fuzz.ts";
import { ControlUnderTest, type World } from "./control_fixture.ts";
import { ROUNDS } from "./durable_state.ts";
import { ReferenceModel, type Refusal } from "./reference_model.ts";

/** Of a seed of its own each time: `FAULT_ROUNDS=100` goes on for hours. */
const STEPS = 4_000 * ROUNDS;
const HOUR = 3_600_000;
const OPERATION = { actor: "test", action: "Step" };

// Addresses of this test alone: a new listener is bound for a moment.
const LISTENERS = [1, 2, 3].map((i) => `127.77.${Deno.pid % 250}.${i}:4430`);
const HOSTNAMES = ["a", "b", "c", "d", "e", "*"].map((name) => `${name}.example`);
const POLICIES = ["x-a", "x-b"];
const ADDRESSES = Array.from({ length: 12 }, (_, i) => `192.0.2.${i}`);

/** A random change, made to the model and to the control plane alike. */
interface Step {
  readonly name: string;
  readonly expect: (model: ReferenceModel) => Refusal | undefined;
  readonly run: (tested: ControlUnderTest) => Promise<unknown>;
}

function routeOf(random: Random) {
  const mode = random.pick(["l4", "l4", "l4", "l7"] as const);
  const tls = mode === "l7" ? "a.pem" : "";
  return {
    hostname: random.pick(HOSTNAMES),
    backend: `192.0.2.1:${1 + random.below(9)}`,
    mode,
    tlsCert: tls,
    tlsKey: tls,
    backendTls: false,
    sendProxyProtocol: random.below(2) === 0,
  };
}

function listenerOf(random: Random) {
  return {
    addr: random.pick(LISTENERS),
    proxyProtocol: random.below(2) === 0,
    maxConnections: random.below(3),
    trustedProxies: [],
  };
}

/** A model that `body` has changed: what a whole state is to become. */
function nextState(model: ReferenceModel, random: Random, now: number): ReferenceModel {
  const next = model.clone();
  for (let i = random.below(8); i >= 0; i--) chooseChange(random, now).expect(next);
  return next;
}

function chooseChange(random: Random, now: number): Step {
  const addr = random.pick(LISTENERS);
  const hostname = random.pick(HOSTNAMES);
  const route = routeOf(random);
  const listener = listenerOf(random);
  const policy = { type: "require_header", value: random.pick(POLICIES) } as const;
  const value = { type: "ip", value: random.pick(ADDRESSES) } as const;
  const ttlMs = random.below(3) === 0 ? (1 + random.below(48)) * HOUR : undefined;
  const rule = { ...value, reason: `reason ${random.below(3)}` };
  const limit = { limit: random.below(3), windowMs: 1000 };
  const close = random.below(2) === 0;
  return random.pick<Step>([
    {
      name: `add listener ${listener.addr}`,
      expect: (model) => model.addListener(listener),
      run: ({ control }) => control.routing.addListener(listener, OPERATION),
    },
    {
      name: `remove listener ${addr}`,
      expect: (model) => model.removeListener(addr),
      run: ({ control }) => control.routing.removeListener({ addr, close, drainMs: 0 }, OPERATION),
    },
    ...Array<Step>(3).fill({
      name: `add route ${addr} ${route.hostname}`,
      expect: (model) => model.addRoute(addr, route),
      run: ({ control }) => control.routing.addRoute(addr, route, OPERATION),
    }),
    ...Array<Step>(2).fill({
      name: `update route ${addr} ${route.hostname} ${route.mode}`,
      expect: (model) => model.updateRoute(addr, route),
      run: ({ control }) =>
        control.routing.updateRoute(
          { addr, hostname: route.hostname, change: () => route, close },
          OPERATION,
        ),
    }),
    {
      name: `remove route ${addr} ${hostname}`,
      expect: (model) => model.removeRoute(addr, hostname),
      run: ({ control }) => control.routing.removeRoute({ addr, hostname, close }, OPERATION),
    },
    ...Array<Step>(2).fill({
      name: `add policy ${addr} ${hostname} ${policy.value}`,
      expect: (model) => model.addPolicy(addr, hostname, policy),
      run: ({ control }) => control.routing.addPolicy({ addr, hostname, policy }, OPERATION),
    }),
    {
      name: `remove policy ${addr} ${hostname} ${policy.value}`,
      expect: (model) => model.removePolicy(addr, hostname, policy),
      run: ({ control }) => control.routing.removePolicy({ addr, hostname, policy }, OPERATION),
    },
    ...Array<Step>(2).fill({
      name: `add rule ${rule.value} ${ttlMs}`,
      expect: (model) =>
        model.addRule({ ...rule, ...ttlMs !== undefined && { expiresAt: now + ttlMs } }),
      run: ({ control }) => control.firewall.addRule({ rule, ttlMs, close }, OPERATION),
    }),
    {
      name: `remove rule ${value.value}`,
      expect: (model) => model.removeRule(value),
      run: ({ control }) => control.firewall.removeRule(value, OPERATION),
    },
    {
      name: `rate limit ${limit.limit}`,
      expect: (model) => {
        model.rateLimit = limit;
        return undefined;
      },
      run: ({ control }) => control.firewall.setRateLimit(limit, OPERATION),
    },
  ]);
}

/** Makes the whole state another one in one step. */
function chooseApply(model: ReferenceModel, random: Random, now: number): Step {
  const next = nextState(model, random, now);
  const wanted = {
    listeners: [...next.listeners.values()].map(({ settings, routes }) => {
      return { ...settings, routes: [...routes.values()] };
    }),
    rules: [...next.rules.values()],
    rateLimit: next.rateLimit,
  };
  return {
    name: "apply",
    expect: (model) => {
      model.listeners.clear();
      for (const [addr, listener] of next.listeners) model.listeners.set(addr, listener);
      model.rules.clear();
      for (const [key, rule] of next.rules) model.rules.set(key, rule);
      model.rateLimit = next.rateLimit;
      return undefined;
    },
    run: ({ control }) =>
      control.wholeState.apply(wanted, { dryRun: false, close: false }, OPERATION),
  };
}

async function codeOf(promise: Promise<unknown>): Promise<string | undefined> {
  try {
    await promise;
    return undefined;
  } catch (error) {
    assert.ok(error instanceof Error);
    return "code" in error ? String(error.code) : error.message;
  }
}

/** What goes wrong; each leaves the state as the model has it, in the control plane it resolves with. */
const FAULTS: Readonly<
  Record<
    string,
    (tested: ControlUnderTest, step: Step, random: Random) => Promise<ControlUnderTest>
  >
> = {
  async "a worker refuses"(tested, step, random) {
    tested.plane.failure = random.pick(["before", "after"]);
    assert.equal(await codeOf(step.run(tested)), "data_plane");
    return tested;
  },
  async "compiling fails"(tested, step) {
    tested.compileFails = true;
    assert.equal(await codeOf(step.run(tested)), "compile");
    tested.compileFails = false;
    return tested;
  },
  async "another program holds the database"(tested, step) {
    {
      using _lock = tested.lock();
      assert.equal(await codeOf(step.run(tested)), "locked");
    }
    return tested;
  },
  async "the database is deleted and written back"(tested, step) {
    tested.removeFiles();
    assert.equal(await codeOf(step.run(tested)), "replaced");
    await tested.control.database.writeBack();
    return tested;
  },
  async "a take-over fails"(tested, step) {
    {
      using next = openDatabase(tested.database.path);
      next.role?.claim();
      assert.equal(await codeOf(step.run(tested)), "not_writer");
    }
    return tested;
  },
  "the process is killed": (tested) => tested.crash(),
  "the process is stopped": (tested) => tested.restart(),
  "the file is damaged in the middle of a crash"(tested, _step, random) {
    // Opened or refused, but never as something else; the intact copy goes on.
    const copy = ControlUnderTest.newFolder();
    try {
      const path = `${copy}/a.db`;
      for (const suffix of ["", "-wal"]) {
        Deno.copyFileSync(tested.database.path + suffix, path + suffix);
      }
      Deno.copyFileSync(`${tested.folder}/marker.a.db`, `${copy}/marker.a.db`);
      const target = path + random.pick(["", "-wal"]);
      const bytes = Deno.readFileSync(target);
      const at = random.below(Math.max(1, bytes.length));
      bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
      Deno.writeFileSync(target, bytes);
      try {
        using db = openDatabase(path);
        assert.equal(db.safekeeping?.identity.digest, tested.database.safekeeping?.identity.digest);
      } catch (error) {
        assert.ok(error instanceof DatabaseError, String(error));
      }
    } finally {
      Deno.removeSync(copy, { recursive: true });
    }
    return Promise.resolve(tested);
  },
};

/** Faults during which a change is tried that fails only if it would have succeeded. */
const NEEDS_GOOD_STEP = new Set([
  "a worker refuses",
  "compiling fails",
  "another program holds the database",
  "the database is deleted and written back",
  "a take-over fails",
]);

/** Whether the step is one that reaches the data plane and the database. */
function isGood(step: Step, model: ReferenceModel): boolean {
  const next = model.clone();
  return step.expect(next) === undefined && next.toString() !== model.toString();
}

const seed = Number(Deno.env.get("FUZZ_SEED") ?? crypto.getRandomValues(new Uint32Array(1))[0]);

Deno.test(`the control plane follows its model through ${STEPS} changes, faults and restarts (seed ${seed})`, async () => {
  const random = createRandom(seed);
  const { certPem, keyPem } = await createServerIdentity("a.example");
  const pem = new TextEncoder().encode(`${certPem}${keyPem}`);
  const [addr = ""] = LISTENERS;
  const world: World = {
    now: Date.parse("2026-01-01"),
    readFile: () => Promise.resolve(pem),
    addr,
  };
  const model = new ReferenceModel();
  model.addListener({ addr, proxyProtocol: false, maxConnections: 0, trustedProxies: [] });
  let tested = await ControlUnderTest.start(ControlUnderTest.newFolder(), world);
  const history: string[] = [];
  const count = { done: 0, refused: 0, faults: 0 };
  try {
    for (let i = 0; i < STEPS; i++) {
      const step = random.below(12) === 0
        ? chooseApply(model, random, world.now)
        : chooseChange(random, world.now);
      const name = random.below(14) === 0 ? random.pick(Object.keys(FAULTS)) : undefined;
      const fault = name === undefined ? undefined : FAULTS[name];
      if (name !== undefined && fault !== undefined) {
        if (NEEDS_GOOD_STEP.has(name) && !isGood(step, model)) continue;
        history.push(`${name}, during: ${step.name}`);
        if (name.startsWith("the process")) {
          world.now += (random.below(72) - 24) * HOUR; // The clock steps, also back.
          model.expire(world.now);
        }
        tested = await fault(tested, step, random);
        count.faults++;
      } else {
        history.push(step.name);
        const expected = step.expect(model);
        assert.equal(await codeOf(step.run(tested)), expected);
        count[expected === undefined ? "done" : "refused"]++;
      }
      const found = tested.describe();
      assert.equal(found.served, model.toString());
      assert.equal(found.stored, model.toString());
    }
  } catch (error) {
    const last = history.slice(-12).join("\n  ");
    throw new Error(`FUZZ_SEED=${seed}, step ${history.length}; the last steps:\n  ${last}`, {
      cause: error,
    });
  } finally {
    await tested[Symbol.asyncDispose]();
  }
  for (const [what, times] of Object.entries(count)) {
    assert.ok(times > STEPS / 100, `${what} ${times} times in ${STEPS} steps`);
  }
});
