import assert from "node:assert/strict";
import { join } from "node:path";
import { ServiceManager } from "../../../lib/service/service_manager.ts";
import type { LogRecord } from "../../../lib/observe/mod.ts";
import { NotifySocket } from "../../support/notify_socket.ts";
import { temporaryFolder } from "../../support/temporary_folder.ts";

const HEALTHY = { alive: true, status: "2 listeners" };

Deno.test("ServiceManager says ready, reloading and stopping in order", async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "notify");
  using systemd = new NotifySocket(path);
  {
    await using manager = new ServiceManager({ notifySocket: path }, () => {});
    manager.ready(() => HEALTHY);
    manager.reloading();
    manager.reloaded();
    manager.stopping(30_000);
  }
  await systemd.line("STATUS=draining");
  assert.deepEqual(systemd.messages, [
    ["READY=1", "STATUS=2 listeners"],
    ["RELOADING=1"],
    ["READY=1"],
    ["STOPPING=1", "EXTEND_TIMEOUT_USEC=35000000", "STATUS=draining"],
  ]);
});

Deno.test("ServiceManager speaks to a socket in the abstract namespace", async () => {
  const name = `mc-proxy-test-${crypto.randomUUID()}`;
  using systemd = new NotifySocket(`\0${name}`);
  await using manager = new ServiceManager({ notifySocket: `@${name}` }, () => {});
  manager.ready(() => HEALTHY);
  await systemd.line("READY=1");
});

Deno.test("ServiceManager feeds the watchdog only while the service is alive", async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "notify");
  using systemd = new NotifySocket(path);
  let pulse = HEALTHY;
  await using manager = new ServiceManager(
    { notifySocket: path, watchdogUsec: "20000" },
    () => {},
  );
  manager.ready(() => pulse);
  await systemd.line("WATCHDOG=1", 3);
  pulse = { alive: false, status: "no worker\nserves" };
  await systemd.line("STATUS=no worker serves");
  const after = systemd.lines.slice(systemd.lines.indexOf("STATUS=no worker serves"));
  assert.deepEqual(after, ["STATUS=no worker serves"]);
  pulse = HEALTHY;
  await systemd.line("WATCHDOG=1", 4);
});

Deno.test("ServiceManager does nothing without systemd", async () => {
  for (const notifySocket of [undefined, ""]) {
    await using manager = new ServiceManager({ notifySocket, watchdogUsec: "1000" }, () => {});
    manager.ready(() => assert.fail("asked for a pulse that nobody hears"));
    manager.stopping(0);
  }
});

Deno.test("ServiceManager goes on when systemd does not answer, and says so once", async () => {
  using folder = temporaryFolder();
  const logs: LogRecord[] = [];
  const manager = new ServiceManager(
    { notifySocket: join(folder.path, "nobody") },
    (record) => logs.push(record),
  );
  manager.ready(() => HEALTHY);
  manager.reloading();
  await manager[Symbol.asyncDispose]();
  manager.stopping(0);
  await manager[Symbol.asyncDispose]();
  assert.deepEqual(logs.map(({ message }) => message), ["systemd could not be notified"]);
});
