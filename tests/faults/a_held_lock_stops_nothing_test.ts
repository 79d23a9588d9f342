import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type AdminClient, createClient } from "../../lib/client/mod.ts";
import { commandPath, runCommand, testWithCommands } from "../support/commands.ts";
import { DEADLINE_MS, withinDeadline } from "../support/deadline.ts";
import { NotifySocket } from "../support/notify_socket.ts";
import { unusedPort } from "../support/ports.ts";
import { type Proxy, startProxy } from "../support/proxy.ts";

const CHANGES = 20;

interface Setting {
  readonly proxy: Proxy;
  readonly client: AdminClient;
  readonly listenerAddr: string;
  readonly systemd: NotifySocket;
  /** Another program, which has begun a transaction that it does not end. */
  readonly other: DatabaseSync;
}

async function withHeldLock(use: (setting: Setting) => Promise<void>): Promise<void> {
  const folder = await Deno.realPath(await Deno.makeTempDir({ prefix: "mc-proxy-test-" }));
  try {
    const listenerAddr = `127.0.0.1:${await unusedPort()}`;
    const socketPath = join(folder, "admin.sock");
    using systemd = new NotifySocket(join(folder, "notify"));
    await using proxy = await startProxy({
      folder,
      config: { grpc: { addr: socketPath }, listeners: [{ addr: listenerAddr }] },
      env: { NOTIFY_SOCKET: join(folder, "notify"), WATCHDOG_USEC: "200000" },
    });
    using client = createClient({ socketPath });
    const other = new DatabaseSync(join(folder, "mc-proxy.db"));
    other.exec("BEGIN IMMEDIATE");
    try {
      await use({ proxy, client, listenerAddr, systemd, other });
    } finally {
      other.close();
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Asks for changes at the same time; resolves with the refusals, code and message. */
function askForChanges({ client, listenerAddr }: Setting, count = CHANGES): Promise<string[]> {
  return Promise.all(Array.from({ length: count }, async (_, i) => {
    try {
      await client.addRoute({ listenerAddr, hostname: `h${i}.test`, backend: "x:1" });
      return "done";
    } catch (error) {
      const { code, message } = error as { code?: unknown; message?: string };
      return `${code}: ${message}`;
    }
  }));
}

Deno.test("queued changes fail together while another process holds the database", async () => {
  await withHeldLock(async (setting) => {
    const { client, systemd, other, listenerAddr } = setting;
    const started = performance.now();
    let pending = true;
    const changes = askForChanges(setting).finally(() => pending = false);
    let answered = 0;
    const beats = () => systemd.messages.filter((lines) => lines.includes("WATCHDOG=1")).length;
    const before = beats();
    while (pending) {
      await client.getStatus({});
      if (pending) answered++;
    }
    assert.deepEqual(
      new Set(await changes),
      new Set(["unavailable: another process holds the database, nothing has changed: try again"]),
    );
    // One after the other would take two seconds for each: status would be answered once in each.
    assert.ok(performance.now() - started < CHANGES * 2000 / 2, "together, not one by one");
    assert.ok(answered > CHANGES, `${answered} questions were answered meanwhile`);
    assert.ok(beats() - before >= 2, "and the watchdog was fed");
    other.exec("ROLLBACK");
    await client.addRoute({ listenerAddr, hostname: "after.test", backend: "x:1" });
    const { routes } = await client.listRoutes({ listenerAddr });
    assert.deepEqual(routes.map(({ hostname }) => hostname), ["after.test"]);
  });
});

Deno.test("changes wait for a lock that is given back, and are all made", async () => {
  await withHeldLock(async (setting) => {
    const changes = askForChanges(setting, 5);
    await setting.client.getStatus({});
    setting.other.exec("ROLLBACK");
    assert.deepEqual(await changes, Array(5).fill("done"));
  });
});

Deno.test("SIGTERM goes past changes that wait for the database", async () => {
  await withHeldLock(async (setting) => {
    const changes = askForChanges(setting);
    await setting.client.getStatus({});
    const stopped = setting.proxy.stop();
    assert.equal(await withinDeadline(stopped, "the end of the program"), 0);
    for (const refusal of await changes) {
      assert.equal(
        refusal,
        "unavailable: the proxy is shutting down",
        "before its own time was over",
      );
    }
  });
});

Deno.test("a call that its client gives up leaves the queue to the others", async () => {
  await withHeldLock(async (setting) => {
    const { client, listenerAddr, other } = setting;
    const change = { listenerAddr, hostname: "given-up.test", backend: "x:1" };
    await assert.rejects(client.addRoute(change, { timeoutMs: 100 }), {
      code: "deadline_exceeded",
    });
    // On the same connection: whoever answers this has seen that the call was given up.
    await client.getStatus({});
    other.exec("ROLLBACK");
    await client.addRoute({ ...change, hostname: "next.test" });
    const { routes } = await client.listRoutes({ listenerAddr });
    assert.deepEqual(routes.map(({ hostname }) => hostname), ["next.test"]);
  });
});

testWithCommands(
  ["mkfifo"],
  "a certificate that is a FIFO is refused and holds nobody up",
  async () => {
    await withHeldLock(async ({ proxy, client, listenerAddr, other }) => {
      other.exec("ROLLBACK");
      const fifo = join(proxy.folder, "cert.pem");
      await runCommand(commandPath("mkfifo") ?? "mkfifo", [fifo]);
      const route = { listenerAddr, hostname: "fifo.test", backend: "x:1", mode: "l7" };
      const stuck = client.addRoute({ ...route, tlsCert: fifo, tlsKey: fifo });
      const refused = assert.rejects(stuck, /tls_cert: it is not a regular file/);
      const next = { listenerAddr, hostname: "next.test", backend: "x:1" };
      await client.addRoute(next, { timeoutMs: DEADLINE_MS });
      await refused;
    });
  },
);
