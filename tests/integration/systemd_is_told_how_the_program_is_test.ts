import assert from "node:assert/strict";
import { join } from "node:path";
import { withinDeadline } from "../support/deadline.ts";
import { startProxy } from "../support/proxy.ts";

/** Fast enough for a test: four pings a second. */
const WATCHDOG_USEC = "500000";

/** The receiving end of sd_notify(3). */
class NotifySocket implements Disposable {
  readonly #socket: Deno.DatagramConn;

  constructor(path: string) {
    this.#socket = Deno.listenDatagram({ transport: "unixpacket", path });
  }

  async next(): Promise<string> {
    const [bytes] = await withinDeadline(this.#socket.receive(), "a notification");
    return new TextDecoder().decode(bytes);
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }
}

Deno.test({
  name: "the service manager hears READY, signs of life, and STOPPING",
  ignore: Deno.build.os !== "linux",
  async fn() {
    const folder = await Deno.realPath(await Deno.makeTempDir());
    try {
      const path = join(folder, "notify");
      using socket = new NotifySocket(path);
      await using proxy = await startProxy({
        config: { listeners: [{ addr: "127.0.0.1:0" }] },
        folder,
        env: { NOTIFY_SOCKET: path, WATCHDOG_USEC },
      });
      assert.equal(await socket.next(), "READY=1");
      assert.equal(await socket.next(), "WATCHDOG=1");
      assert.equal(await socket.next(), "WATCHDOG=1");
      const names = (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name);
      assert.deepEqual(names.filter((name) => name.startsWith(".notify")), []);
      const stopped = proxy.stop();
      let last = await socket.next();
      while (last === "WATCHDOG=1") last = await socket.next();
      assert.equal(last, "STOPPING=1");
      assert.equal(await stopped, 0);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

Deno.test("a notification socket that is not there is logged, and the proxy serves", async () => {
  await using proxy = await startProxy({
    config: { listeners: [{ addr: "127.0.0.1:0" }] },
    env: { NOTIFY_SOCKET: "/nonexistent/notify" },
  });
  assert.ok(proxy.port() > 0);
  assert.equal(await proxy.stop(), 0);
  const warnings = proxy.events("cannot notify the service manager");
  assert.ok(warnings.length >= 1);
});
