import assert from "node:assert/strict";
import { join } from "node:path";
import { eventually } from "../support/deadline.ts";
import { openDatabase } from "../../lib/db/mod.ts";
import { NotifySocket } from "../support/notify_socket.ts";
import { startProxy } from "../support/proxy.ts";
import { ProxyStartError } from "../../dev/proxy_process.ts";

/** Fast enough for a test: four pings a second. */
const WATCHDOG_USEC = "500000";

const LINUX = Deno.build.os === "linux";

const config = { listeners: [{ addr: "127.0.0.1:0" }] };

Deno.test({
  name: "the service manager hears READY, signs of life, a reload, and STOPPING",
  ignore: !LINUX,
  async fn() {
    const folder = await Deno.realPath(await Deno.makeTempDir());
    try {
      const path = join(folder, "notify");
      using systemd = new NotifySocket(path);
      const env = { NOTIFY_SOCKET: path, WATCHDOG_USEC };
      await using proxy = await startProxy({ config, folder, env });
      await systemd.line("WATCHDOG=1", 2);
      assert.deepEqual(systemd.messages[0], [
        "READY=1",
        "STATUS=serving: 1 listeners, 1 of 1 workers",
      ]);
      proxy.process.signal("SIGHUP");
      await systemd.line("RELOADING=1");
      await systemd.line("READY=1", 2);
      assert.equal(await proxy.stop(), 0);
      await systemd.line("STOPPING=1");
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

Deno.test({
  name: "a start with a large database asks the service manager for patience first",
  ignore: !LINUX,
  async fn() {
    const folder = await Deno.realPath(await Deno.makeTempDir());
    try {
      {
        using db = openDatabase(join(folder, "mc-proxy.db"));
        const entry = { time: 0, actor: "test", action: "Fill", subject: "", before: "" };
        db.audit.add({ ...entry, after: "x".repeat(10_000_000) });
      }
      const path = join(folder, "notify");
      using systemd = new NotifySocket(path);
      await using _proxy = await startProxy({ config, folder, env: { NOTIFY_SOCKET: path } });
      await systemd.line("READY=1");
      const [asked = "", status] = systemd.messages[0] ?? [];
      const [, usec] = /^EXTEND_TIMEOUT_USEC=(\d+)$/.exec(asked) ?? [];
      assert.ok(Number(usec) > 80_000_000, "a minute, and two seconds for each megabyte");
      assert.equal(status, "STATUS=starting");
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

Deno.test("a notification socket that is not there is logged, and the proxy serves", async () => {
  const folder = await Deno.realPath(await Deno.makeTempDir());
  try {
    const env = { NOTIFY_SOCKET: join(folder, "notify") };
    await using proxy = await startProxy({ config, folder, env });
    await eventually(
      () => proxy.events("systemd could not be notified").length === 1,
      "the log says so",
    );
    assert.ok(proxy.port() > 0);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("a notification socket that may not be written to is refused by name", async () => {
  await assert.rejects(
    startProxy({ config, env: { NOTIFY_SOCKET: "/nonexistent/notify" } }),
    (error: unknown) => {
      assert.ok(error instanceof ProxyStartError);
      assert.match(error.message, /: mc-proxy: Deno .* add --allow-write=\/nonexistent\/notify /);
      return true;
    },
  );
});
