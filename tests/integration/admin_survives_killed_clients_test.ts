import assert from "node:assert/strict";
import { connect } from "node:net";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { createClient } from "../../lib/client/mod.ts";
import { eventually, withinDeadline } from "../support/deadline.ts";
import { CAN_READ_USAGE, readUsage, socketsReturnTo } from "../support/leaks.ts";
import { startProxy } from "../support/proxy.ts";
import { unusedPort } from "../support/ports.ts";

const ROUNDS = 60;
/** grpc-js leaves a timer of 250 ms to a channel that was closed while it connected. */
const CHANNEL_TIMERS_MS = 1000;
/** Clients that are cut off in each round. */
const CLIENTS = 8;

const CLAIM = "clients that are killed in the middle of calls leave nothing behind";

Deno.test({
  name: CAN_READ_USAGE ? CLAIM : `${CLAIM} (ignored: no /proc here)`,
  ignore: !CAN_READ_USAGE,
  async fn() {
    const addr = `127.0.0.1:${await unusedPort()}`;
    await using proxy = await startProxy({
      config: (folder) => ({ listeners: [{ addr }], grpc: { addr: `${folder}/admin.sock` } }),
    });
    const socketPath = `${proxy.folder}/admin.sock`;
    using client = createClient({ socketPath });
    assert.equal(await client.healthy(), true);
    const before = await readUsage(proxy.pid);
    let made = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const calls = Array.from({ length: CLIENTS }, (_, i) => {
        return abandon(socketPath, addr, round * CLIENTS + i);
      });
      made += (await Promise.all(calls)).reduce((sum, count) => sum + count, 0);
    }
    await socketsReturnTo(proxy.pid, before);
    // Whatever was answered is there; what was not is there as a whole or not at all.
    const { routes } = await client.listRoutes({ listenerAddr: addr });
    const { entries } = await client.getAuditLog({ limit: 1000 });
    assert.ok(routes.length >= made, `${routes.length} routes, ${made} answered`);
    assert.equal(entries.length, routes.length);
    await eventually(() => client.healthy(), "the proxy is healthy");
    const after = await readUsage(proxy.pid);
    assert.ok(after.residentBytes < before.residentBytes + 100 * 1024 * 1024, "memory is bounded");
    await new Promise((resolve) => setTimeout(resolve, CHANNEL_TIMERS_MS));
  },
});

/** Starts calls and ends their connection at once or a little later; how many were answered. */
async function abandon(socketPath: string, listenerAddr: string, i: number): Promise<number> {
  if (i % 8 === 7) {
    // The beginning of a connection, and then nothing.
    const socket = connect(socketPath);
    socket.on("error", () => {});
    socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".slice(0, i % 24));
    await new Promise((resolve) => setTimeout(resolve, i % 5));
    socket.destroy();
    return 0;
  }
  const client = createClient({ socketPath });
  let answered = 0;
  const route = { listenerAddr, hostname: `h${i}.example`, backend: "10.0.0.1:1" };
  const pending = [
    client.addRoute(route).then(() => void answered++, () => {}),
    client.exportState({}).catch(() => {}),
    client.watchStatus({ interval: durationFromMs(100), routes: 10 }).next().catch(() => {}),
  ];
  await new Promise((resolve) => setTimeout(resolve, i % 12));
  client.close();
  await withinDeadline(Promise.all(pending), "calls on a closed connection end");
  return answered;
}
