import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { GrpcServer } from "../../../lib/rpc_server/mod.ts";
import { MetricsEndpoint } from "../../../lib/metrics_endpoint/mod.ts";
import { eventually } from "../../support/deadline.ts";
import { temporaryFolder } from "../../support/temporary_folder.ts";

const ALLOWED = 16;

/** Opens one connection more than is allowed; which of them the server closes, by their order. */
async function crowd(path: string): Promise<{ sockets: Socket[]; closed: readonly number[] }> {
  const sockets: Socket[] = [];
  const closed: number[] = [];
  for (let i = 0; i <= ALLOWED; i++) {
    const socket = connect(path);
    socket.on("error", () => {});
    socket.once("close", () => closed.push(i));
    socket.resume();
    sockets.push(socket);
    await new Promise<void>((resolve) => {
      socket.once("connect", resolve);
      socket.once("close", () => resolve());
    });
  }
  return { sockets, closed };
}

async function leave(sockets: readonly Socket[]): Promise<void> {
  await Promise.all(sockets.map((socket) => {
    if (socket.closed) return;
    const gone = new Promise((resolve) => socket.once("close", resolve));
    socket.destroy();
    return gone;
  }));
}

Deno.test("MetricsEndpoint holds sixteen connections, and closes the next at once", async () => {
  using folder = temporaryFolder();
  const path = `${folder.path}/metrics.sock`;
  await using _endpoint = await MetricsEndpoint.open({
    addr: path,
    contentType: "text/plain",
    render: () => Promise.resolve(""),
    health: () => ({ state: "serving", problems: [], refusals: [], warnings: [] }),
    log: () => {},
  });
  const { sockets, closed } = await crowd(path);
  await eventually(() => closed.length > 0, "one is closed");
  assert.deepEqual(closed, [ALLOWED], "the seventeenth");
  await leave(sockets);
});

Deno.test("GrpcServer holds as many connections as it is told, and closes the next at once", async () => {
  using folder = temporaryFolder();
  const server = new GrpcServer(new Map(), {
    maxConnections: ALLOWED,
    maxCallsPerConnection: 10,
    maxCalls: 10,
    maxStreams: 10,
    maxCallMs: 1000,
    maxMessageBytes: 1000,
    maxWaitingRequests: 10,
    translate: (error) => error,
    onError: () => {},
  });
  const path = `${folder.path}/admin.sock`;
  await server.listen(path);
  const { sockets, closed } = await crowd(path);
  await eventually(() => closed.length > 0, "one is closed");
  assert.deepEqual(closed, [ALLOWED], "the seventeenth");
  await leave(sockets);
  await server.close(0);
});
