import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import type { AdminClient } from "../../lib/client/mod.ts";
import type { Plane } from "../../lib/plane/mod.ts";
import { WorkerPool } from "../../lib/workers/mod.ts";
import { type AdminFixture, type AdminFixtureOptions, startAdmin } from "../support/admin.ts";
import { startEchoBackend } from "../support/backends.ts";
import { eventually } from "../support/deadline.ts";
import { connectWithName } from "../support/named_peer.ts";
import { unusedPort } from "../support/ports.ts";
import { CAN_MOUNT, giveRoomBack, smallDisk } from "../support/small_disk.ts";

const TABLES = ["listeners", "routes", "firewall_rules", "l7_policies", "settings", "audit_log"];

/** Every row of the database, and what the data plane serves. */
function everything({ database, control }: AdminFixture): unknown {
  using file = new DatabaseSync(database.path, { readOnly: true, timeout: 5000 });
  const rows = TABLES.map((table) =>
    file.prepare(`SELECT * FROM ${table} ORDER BY 1`).all().map((row) => ({ ...row }))
  );
  const { listeners, firewall } = control.state.snapshot;
  return { rows, listeners: structuredClone(listeners), rateLimit: firewall.rateLimit?.limit };
}

interface Change {
  readonly name: string;
  readonly run: (client: AdminClient, addr: string) => Promise<unknown>;
}

/** One change of each kind, each of which would succeed. */
const CHANGES: readonly Change[] = [
  {
    name: "AddRoute",
    run: (client, listenerAddr) =>
      client.addRoute({ listenerAddr, hostname: "new.example", backend: "10.0.0.1:1" }),
  },
  {
    name: "UpdateRoute",
    run: (client, listenerAddr) =>
      client.updateRoute({
        listenerAddr,
        route: { hostname: "there.example", backend: "10.0.0.9:1" },
        closeConnections: true,
      }),
  },
  {
    name: "RemoveRoute",
    run: (client, listenerAddr) =>
      client.removeRoute({ listenerAddr, hostname: "there.example", closeConnections: true }),
  },
  {
    name: "AddListener",
    run: async (client) => client.addListener({ addr: `127.0.0.1:${await unusedPort()}` }),
  },
  {
    name: "AddFirewallRule",
    run: (client) =>
      client.addFirewallRule({ type: "ip", value: "127.0.0.1", closeConnections: true }),
  },
  {
    name: "RemoveFirewallRule",
    run: (client) => client.removeFirewallRule({ type: "ip", value: "192.0.2.1" }),
  },
  {
    name: "SetRateLimit",
    run: (client) => client.setRateLimit({ rateLimit: { limit: 1, window: { seconds: 60n } } }),
  },
  {
    name: "Apply",
    run: (client, addr) =>
      client.apply({
        state: {
          listeners: {
            listeners: [{
              listener: { addr },
              routes: [{ route: { hostname: "other.example", backend: "10.0.0.1:1" } }],
            }],
          },
          firewall: { rules: [] },
        },
        closeConnections: true,
      }),
  },
];

/** What makes a change fail, and what is left of it afterwards. */
interface Fault {
  readonly break: (admin: AdminFixture) => void;
  readonly heal: (admin: AdminFixture) => void;
  /** What the caller is told. Default: `internal`. */
  readonly code?: string;
}

/** Runs every change against a fault: it is refused, changes nothing, and works when healed. */
async function checkFault(
  t: Deno.TestContext,
  options: AdminFixtureOptions,
  fault: Fault,
): Promise<void> {
  await using backend = await startEchoBackend();
  for (const { name, run } of CHANGES) {
    await t.step(name, async () => {
      await using admin = await startAdmin(options);
      admin.expectedErrors.push("admin call failed", "the database cannot be written");
      const { client, addr } = admin;
      const route = { hostname: "there.example", backend: backend.address };
      await client.addRoute({ listenerAddr: addr, ...route });
      await client.addFirewallRule({ type: "ip", value: "192.0.2.1" });
      await using live = await connectWithName(admin.port, "there.example");
      await live.echo("before");
      const before = everything(admin);
      fault.break(admin);
      await assert.rejects(run(client, addr), { code: fault.code ?? "internal" });
      assert.deepEqual(everything(admin), before);
      await live.echo("goes on");
      await using fresh = await connectWithName(admin.port, "there.example");
      await fresh.echo("as before");
      fault.heal(admin);
      assert.equal(await client.healthy(), true);
      await run(client, addr);
      assert.notDeepEqual(everything(admin), before);
    });
  }
}

Deno.test("a change that does not compile", async (t) => {
  const state = { broken: false };
  const options: AdminFixtureOptions = {
    compile: (draft) => {
      if (state.broken) throw new Error("cannot compile");
      return draft.compile();
    },
  };
  await checkFault(t, options, {
    break: () => state.broken = true,
    heal: () => state.broken = false,
  });
});

Deno.test("a change that the data plane refuses, after it was committed", async (t) => {
  const state = { broken: false };
  const options: AdminFixtureOptions = {
    wrapPlane: (plane) => {
      const wrapped: Plane = Object.create(plane, {
        apply: {
          value: async (...[changes, snapshot]: Parameters<Plane["apply"]>) => {
            const isReturn = changes.every(({ kind }) => kind === "snapshot");
            // Half-applied, as when one of several workers refuses.
            if (state.broken && !isReturn) {
              await plane.apply(changes, snapshot);
              throw new Error("worker 1 refused");
            }
            return await plane.apply(changes, snapshot);
          },
        },
      });
      return bound(wrapped, plane);
    },
  };
  await checkFault(t, options, {
    break: () => state.broken = true,
    heal: () => state.broken = false,
  });
});

/** Methods with private fields need the object that has them. */
function bound(wrapped: Plane, plane: Plane): Plane {
  return new Proxy(wrapped, {
    get(target, name) {
      if (name === "apply") return target.apply;
      const value = Reflect.get(plane, name);
      return typeof value === "function" ? value.bind(plane) : value;
    },
  });
}

Deno.test("another process that holds the database locked", async (t) => {
  let other: DatabaseSync | undefined;
  await checkFault(t, { open: { busyTimeoutMs: 50 } }, {
    break: ({ database }) => {
      other = new DatabaseSync(database.path);
      other.exec("BEGIN IMMEDIATE");
    },
    heal: () => other?.close(),
    code: "unavailable",
  });
});

const FULL_DISK = "a full disk";

Deno.test({
  name: CAN_MOUNT ? FULL_DISK : `${FULL_DISK} (ignored: mounting is not allowed here)`,
  ignore: !CAN_MOUNT,
  fn: async (t) => {
    // Each change has a disk of its own, which goes when the database is closed, or the test fails.
    await using disks = new AsyncDisposableStack();
    const options = {
      get folder() {
        const disk = disks.use(smallDisk(4 * 1024));
        Deno.chmodSync(disk.path, 0o700);
        return disk.path;
      },
    };
    await checkFault(t, options, {
      break: ({ folder }) => fillUp(`${folder}/ballast`),
      heal: ({ folder }) => giveRoomBack(`${folder}/ballast`),
      code: "resource_exhausted",
    });
  },
});

/** Writes a file until there is no room for another octet. */
function fillUp(path: string): void {
  using file = Deno.openSync(path, { write: true, create: true });
  for (const size of [4096, 1]) {
    try {
      for (;;) file.writeSync(new Uint8Array(size));
    } catch (error) {
      assert.match(String(error), /No space left/);
    }
  }
}

Deno.test("a database that cannot be written at all", async (t) => {
  const folder = await Deno.makeTempDir({ prefix: "mc-proxy-test-" });
  await using backend = await startEchoBackend();
  {
    await using admin = await startAdmin({ folder });
    const route = { hostname: "there.example", backend: backend.address };
    await admin.client.addRoute({ listenerAddr: admin.addr, ...route });
    await admin.client.addFirewallRule({ type: "ip", value: "192.0.2.1" });
  }
  {
    await using admin = await startAdmin({ folder, open: { readOnly: true } });
    const before = everything(admin);
    for (const { name, run } of CHANGES) {
      await t.step(name, async () => {
        await assert.rejects(run(admin.client, admin.addr), { code: "failed_precondition" });
        assert.deepEqual(everything(admin), before);
      });
    }
    await using fresh = await connectWithName(admin.port, "there.example");
    await fresh.echo("as before");
  }
  await Deno.remove(folder, { recursive: true });
});

Deno.test("a change while a worker is dead is made, and its successor has it", async () => {
  const pools: WorkerPool[] = [];
  await using backend = await startEchoBackend();
  await using admin = await startAdmin({
    startPlane: async (snapshot, sinks) => {
      const pool = await WorkerPool.start(2, snapshot, sinks);
      pools.push(pool);
      return pool;
    },
  });
  admin.expectedErrors.push("worker died");
  pools[0]?.replace(0, "killed by the test");
  assert.equal(await admin.client.healthy(), false);
  const route = { hostname: "a.example", backend: backend.address };
  await admin.client.addRoute({ listenerAddr: admin.addr, ...route });
  await eventually(() => admin.client.healthy(), "the worker is replaced");
  // The kernel spreads connections over both workers.
  for (let i = 0; i < 20; i++) {
    await using peer = await connectWithName(admin.port, "a.example");
    await peer.echo("x");
  }
  const { status } = await admin.client.getStatus({});
  assert.deepEqual(status?.workers.map(({ restarts }) => restarts), [1, 0]);
});

Deno.test("a revision is not said before it is in effect", async () => {
  const seen: number[] = [];
  const found: { revision?: () => number } = {};
  await using admin = await startAdmin({
    wrapPlane: (plane) => {
      const apply = async (...[changes, snapshot]: Parameters<Plane["apply"]>) => {
        if (found.revision !== undefined) seen.push(found.revision());
        return await plane.apply(changes, snapshot);
      };
      return bound(Object.create(plane, { apply: { value: apply } }), plane);
    },
  });
  found.revision = () => admin.control.state.revision;
  const before = admin.control.state.revision;
  const { revision } = await admin.client.addRoute({
    ...{ listenerAddr: admin.addr, hostname: "a.example", backend: "127.0.0.1:1" },
  });
  assert.deepEqual(seen, [before]);
  assert.equal(revision, BigInt(before + 1));
  assert.equal(admin.control.state.revision, before + 1);
});
