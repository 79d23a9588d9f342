import assert from "node:assert/strict";
import net from "node:net";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { ProxyStartError } from "../../dev/proxy_process.ts";
import { type AdminClient, createClient } from "../../lib/client/mod.ts";
import { openDatabase } from "../../lib/db/mod.ts";
import { startAdmin } from "../support/admin.ts";
import { eventually } from "../support/deadline.ts";
import { unusedPorts } from "../support/ports.ts";
import { proxyLine } from "../support/program.ts";
import { type Proxy, startProxy } from "../support/proxy.ts";

/** `TAKE_OVER_ROUTES=100000` takes a minute. */
const MANY = Number(Deno.env.get("TAKE_OVER_ROUTES") ?? 2_000);

interface Setting {
  readonly folder: string;
  readonly socketPath: string;
  readonly listenerAddr: string;
  readonly metricsPort: number;
  readonly start: (options?: { takeOver?: boolean; metricsPort?: number }) => Promise<Proxy>;
}

async function withSetting(use: (setting: Setting) => Promise<void>): Promise<void> {
  const folder = await Deno.realPath(await Deno.makeTempDir({ prefix: "mc-proxy-test-" }));
  const [port = 0, metricsPort = 0] = await unusedPorts(2);
  const listenerAddr = `127.0.0.1:${port}`;
  const socketPath = join(folder, "admin.sock");
  const start = ({ takeOver = false, metricsPort = 0 } = {}) =>
    startProxy({
      folder,
      takeOver,
      config: {
        grpc: { addr: socketPath },
        ...metricsPort > 0 && { metrics: { addr: `127.0.0.1:${metricsPort}` } },
        listeners: [{ addr: listenerAddr }],
      },
    });
  try {
    await use({ folder, socketPath, listenerAddr, metricsPort, start });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function hostnames(client: AdminClient, listenerAddr: string): Promise<Set<string>> {
  const { routes } = await client.listRoutes({ listenerAddr });
  return new Set(routes.map(({ hostname }) => hostname));
}

/** Between changes, in milliseconds: what is left of two cores starts a process meanwhile. */
const CHANGE_PAUSE_MS = 10;

/** Adds routes one after the other, over a new connection each, until it is told to stop. */
function keepAdding({ socketPath, listenerAddr }: Setting) {
  const acknowledged = new Set<string>();
  const refusals = new Set<string>();
  let stopped = false;
  const run = async () => {
    for (let i = 0; !stopped; i++) {
      using client = createClient({ socketPath });
      const hostname = `h${i}.test`;
      try {
        await client.addRoute({ listenerAddr, hostname, backend: "x:1" });
        acknowledged.add(hostname);
      } catch (error) {
        refusals.add(`${(error as { code?: string }).code}`);
      }
      await new Promise((resolve) => setTimeout(resolve, CHANGE_PAUSE_MS));
    }
  };
  const done = run();
  const stop = () => {
    stopped = true;
    return done;
  };
  return { acknowledged, refusals, stop };
}

Deno.test("every change that is acknowledged during a take-over is in effect in the new process", async () => {
  await withSetting(async (setting) => {
    const { socketPath, listenerAddr, start } = setting;
    const old = await start();
    const adding = keepAdding(setting);
    await eventually(() => adding.acknowledged.size > 20, "changes before the take-over");
    await using _next = await start({ takeOver: true });
    const before = adding.acknowledged.size;
    await eventually(() => adding.acknowledged.size > before + 20, "changes after the take-over");
    assert.equal(await old.stop(), 0);
    await adding.stop();
    using client = createClient({ socketPath });
    const served = await hostnames(client, listenerAddr);
    const missing = [...adding.acknowledged].filter((hostname) => !served.has(hostname));
    assert.deepEqual(missing, []);
    for (const hostname of adding.acknowledged) {
      await client.removeRoute({ listenerAddr, hostname });
    }
    for (const code of adding.refusals) {
      // `undefined` is a connection that the old process closed.
      assert.ok(["unavailable", "cancelled"].includes(code), code);
    }
  });
});

Deno.test("a take-over with many routes loses none of them, and no change that is made meanwhile", async () => {
  await withSetting(async (setting) => {
    const { socketPath, listenerAddr, start } = setting;
    const old = await start();
    {
      using client = createClient({ socketPath, timeoutMs: 600_000 });
      const routes = Array.from({ length: MANY }, (_, i) => {
        return { route: { hostname: `many${i}.test`, backend: "x:1" } };
      });
      const listeners = [{ listener: { addr: listenerAddr }, routes }];
      await client.apply({ state: { listeners: { listeners } } });
    }
    const adding = keepAdding(setting);
    await eventually(() => adding.acknowledged.size > 5, "changes before the take-over");
    await using _next = await start({ takeOver: true });
    const before = adding.acknowledged.size;
    await eventually(() => adding.acknowledged.size > before + 5, "changes after the take-over");
    assert.equal(await old.stop(), 0);
    await adding.stop();
    using client = createClient({ socketPath, timeoutMs: 600_000 });
    const served = await hostnames(client, listenerAddr);
    const missing = [...adding.acknowledged].filter((hostname) => !served.has(hostname));
    assert.deepEqual(missing, []);
    assert.equal(served.size, MANY + adding.acknowledged.size);
  });
});

Deno.test("the old process refuses changes from the moment at which the new one reads", async () => {
  await withSetting(async ({ socketPath, listenerAddr, start }) => {
    await using old = await start();
    using client = createClient({ socketPath }); // Goes on to be connected to the old one.
    await client.addRoute({ listenerAddr, hostname: "a.test", backend: "x:1" });
    await using _next = await start({ takeOver: true });
    const change = client.addRoute({ listenerAddr, hostname: "void.test", backend: "x:1" });
    await assert.rejects(change, { code: "unavailable", message: /is taking over, nothing has/ });
    assert.deepEqual(
      [...await hostnames(client, listenerAddr)],
      ["a.test"],
      "questions are answered",
    );
    const taken = /another process has taken over the database/;
    await eventually(
      async () => taken.test((await client.getStatus({})).status?.problem ?? ""),
      "it says why",
    );
    using direct = createClient({ socketPath });
    await direct.addRoute({ listenerAddr, hostname: "b.test", backend: "x:1" });
    assert.equal(await old.stop(), 0);
    await direct.addRoute({ listenerAddr, hostname: "c.test", backend: "x:1" });
  });
});

Deno.test("a take-over that fails gives back the right to write and the admin socket", async () => {
  await withSetting(async ({ socketPath, listenerAddr, metricsPort, start }) => {
    await using old = await start();
    using client = createClient({ socketPath });
    await client.addRoute({ listenerAddr, hostname: "a.test", backend: "x:1" });
    // The new process cannot bind its metrics, which it finds out late in its start.
    const blocker = net.createServer().listen(metricsPort, "127.0.0.1");
    await assert.rejects(start({ takeOver: true, metricsPort }), ProxyStartError);
    blocker.close();
    await eventually(async () => {
      using fresh = createClient({ socketPath });
      return await fresh.addRoute({ listenerAddr, hostname: "b.test", backend: "x:1" })
        .then(() => true, () => false);
    }, "changes are taken again");
    assert.deepEqual(await hostnames(client, listenerAddr), new Set(["a.test", "b.test"]));
    await eventually(() => client.healthy(), "healthy again");
    assert.equal(await old.stop(), 0);
    await using _next = await start();
    using last = createClient({ socketPath });
    assert.deepEqual(await hostnames(last, listenerAddr), new Set(["a.test", "b.test"]));
  });
});

Deno.test("a process that is killed while it takes over gives everything back, whenever that is", async () => {
  await withSetting(async (setting) => {
    const { socketPath, listenerAddr, start } = setting;
    await using old = await start();
    const added: string[] = [];
    for (let waitMs = 100; !await startAndKill(setting, waitMs); waitMs = Math.ceil(1.3 * waitMs)) {
      const hostname = `k${waitMs}.test`;
      await eventually(async () => {
        using client = createClient({ socketPath });
        const change = { listenerAddr, hostname, backend: "x:1" };
        return await client.addRoute(change).then(() => true, () => false);
      }, `changes are taken again after a kill at ${waitMs} ms`);
      added.push(hostname);
    }
    assert.ok(added.length > 1, "the process was killed before it served");
    assert.equal(await old.stop(), 0);
    await using _next = await start();
    using client = createClient({ socketPath });
    assert.deepEqual(await hostnames(client, listenerAddr), new Set(added));
  });
});

/**
 * Starts a process that takes over, and kills it some time later. Whether it had taken over for good
 * by then, after which there is nothing to give back.
 */
async function startAndKill({ folder }: Setting, waitMs: number): Promise<boolean> {
  const child = new Deno.Command(Deno.execPath(), {
    args: proxyLine(folder, "server", "--take-over", "-c", join(folder, "mc-proxy.toml")),
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  using db = new DatabaseSync(join(folder, "mc-proxy.db"), { readOnly: true, timeout: 5000 });
  const role = () => db.prepare("SELECT writer, previous FROM identity").get();
  const before = role();
  await new Promise((resolve) => setTimeout(resolve, waitMs));
  child.kill("SIGKILL");
  await child.status;
  const after = role();
  return after?.previous === "" && after.writer !== before?.writer;
}

Deno.test("the admin socket gets its name back with the right to write", async () => {
  await using admin = await startAdmin();
  admin.database.role?.claim();
  admin.database.role?.confirm();
  const route = { listenerAddr: admin.addr, backend: "x:1" };
  await admin.client.addRoute({ ...route, hostname: "a.test" });
  {
    using other = openDatabase(admin.database.path);
    other.role?.claim();
    // What a process that takes over does with the name, and one that dies does not undo.
    Deno.removeSync(admin.socketPath);
    const stale = Deno.listen({ transport: "unix", path: admin.socketPath });
    stale.close();
    other.transaction(() => other.removeRoute(1));
    await eventually(() => admin.control.problem !== "", "it is noticed");
  }
  using client = createClient({ socketPath: admin.socketPath });
  await eventually(() => client.healthy().catch(() => false), "the socket answers again");
  assert.equal((Deno.statSync(admin.socketPath).mode ?? 0) & 0o777, 0o600);
  assert.deepEqual(await hostnames(client, admin.addr), new Set(), "what the other one did holds");
  await client.addRoute({ ...route, hostname: "b.test" });
  await admin.client.addRoute({ ...route, hostname: "c.test" });
  assert.deepEqual(await hostnames(client, admin.addr), new Set(["b.test", "c.test"]));
});

Deno.test("a process that came and died between two looks leaves neither the role nor the socket's name", async () => {
  await using admin = await startAdmin();
  admin.database.role?.claim();
  admin.database.role?.confirm();
  const dies = [
    // Killed, with the role and the socket's name.
    () => {
      using other = new DatabaseSync(admin.database.path);
      other.exec("UPDATE identity SET previous = writer, writer = 'dead'");
    },
    // Ended by itself: the role is given back, the name is nobody's.
    () => {
      using other = openDatabase(admin.database.path);
      other.role?.claim();
    },
    // Somebody who tidied up.
    () => {},
  ];
  for (const [round, die] of dies.entries()) {
    die(); // In one turn: nothing looks in between.
    Deno.removeSync(admin.socketPath);
    using client = createClient({ socketPath: admin.socketPath });
    await eventually(() => client.healthy().catch(() => false), `the socket answers, ${round}`);
    const route = { listenerAddr: admin.addr, hostname: `r${round}.test`, backend: "x:1" };
    await client.addRoute(route);
    assert.equal(admin.control.problem, "");
  }
});
