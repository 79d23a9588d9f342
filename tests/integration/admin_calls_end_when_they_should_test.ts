import assert from "node:assert/strict";
import { once } from "node:events";
import { type ClientHttp2Session, connect } from "node:http2";
import { connect as netConnect } from "node:net";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { frameMessage } from "../../lib/rpc_server/frames.ts";
import { startAdmin } from "../support/admin.ts";
import { withinDeadline } from "../support/deadline.ts";

const PATH = "/mc_proxy.v1.ProxyAdminService/";

/** An HTTP/2 connection without gRPC around it. */
function openSession(socketPath: string): ClientHttp2Session & Disposable {
  const session = connect("http://localhost", { createConnection: () => openSocket(socketPath) });
  session.on("error", () => {});
  return Object.assign(session, { [Symbol.dispose]: () => session.destroy() });
}

/** The head, the trailers and the length of an answer. */
interface RawAnswer {
  readonly head: Record<string, unknown>;
  readonly trailers: Record<string, unknown>;
  readonly length: number;
}

/** Sends one request on a connection. */
async function sendOn(
  session: ClientHttp2Session,
  headers: Record<string, string>,
  body: Uint8Array = frameMessage(new Uint8Array()),
): Promise<RawAnswer> {
  const stream = session.request({
    ":method": "POST",
    "content-type": "application/grpc",
    te: "trailers",
    ...headers,
  });
  stream.on("error", () => {});
  let head: Record<string, unknown> = {};
  let length = 0;
  let trailers: Record<string, unknown> = {};
  stream.on("response", (fields) => head = { ...fields });
  stream.on("trailers", (fields) => trailers = { ...fields });
  stream.on("data", (chunk: Uint8Array) => length += chunk.length);
  const closed = once(stream, "close");
  // Others than POST have ended their request with its head.
  if (!(":method" in headers)) stream.end(body);
  await withinDeadline(closed, "the call ends");
  return { head, trailers, length };
}

/** Sends one request on a connection of its own. */
async function send(
  socketPath: string,
  headers: Record<string, string>,
  body?: Uint8Array,
): Promise<RawAnswer> {
  using session = openSession(socketPath);
  return await sendOn(session, headers, body);
}

function openSocket(path: string) {
  const socket = netConnect(path);
  socket.on("error", () => {});
  return socket;
}

Deno.test("a call ends with its status, in trailers or, without an answer, in the head", async () => {
  await using admin = await startAdmin();
  const ok = await send(admin.socketPath, { ":path": `${PATH}GetStatus` });
  assert.equal(ok.head[":status"], 200);
  assert.equal(ok.trailers["grpc-status"], "0");
  assert.ok(ok.length > 5);
  const unknown = await send(admin.socketPath, { ":path": `${PATH}Nothing` });
  assert.deepEqual([unknown.head["grpc-status"], unknown.length], ["12", 0]);
  const refused = await send(admin.socketPath, { ":path": `${PATH}ListRoutes` });
  assert.deepEqual([refused.head["grpc-status"], refused.head["grpc-message"]], [
    "3",
    "listener_addr: is missing",
  ]);
});

Deno.test("a call needs exactly one request, not compressed", async () => {
  await using admin = await startAdmin();
  const path = { ":path": `${PATH}GetStatus` };
  const one = frameMessage(new Uint8Array());
  const none = await send(admin.socketPath, path, new Uint8Array());
  assert.equal(none.head["grpc-status"], "3");
  const two = await send(admin.socketPath, path, Uint8Array.of(...one, ...one));
  assert.equal(two.head["grpc-status"], "3");
  const cut = await send(admin.socketPath, path, one.subarray(0, 3));
  assert.equal(cut.head["grpc-status"], "3");
  const compressed = await send(admin.socketPath, path, Uint8Array.of(1, 0, 0, 0, 0));
  assert.equal(compressed.head["grpc-status"], "12");
});

Deno.test("what is HTTP/2 but not gRPC is answered with an HTTP status", async () => {
  await using admin = await startAdmin();
  const path = { ":path": `${PATH}GetStatus` };
  const html = await send(admin.socketPath, { ...path, "content-type": "text/html" });
  assert.equal(html.head[":status"], 415);
  const get = await send(admin.socketPath, { ...path, ":method": "GET" }, new Uint8Array());
  assert.equal(get.head[":status"], 405);
});

Deno.test("a deadline ends a stream, and the server's own end other calls", async () => {
  await using admin = await startAdmin();
  const { client } = admin;
  const request = { interval: durationFromMs(60_000) };
  // Room for a busy machine to answer the first time.
  const stream = client.watchStatus(request, { timeoutMs: 2000 });
  await stream.next();
  await assert.rejects(stream.next(), { code: "deadline_exceeded" });
  const late = await send(admin.socketPath, {
    ":path": `${PATH}WatchStatus`,
    "grpc-timeout": "50m",
  });
  assert.equal(late.trailers["grpc-status"], "4");
});

Deno.test("a change whose caller has gone before its turn is not made", async () => {
  await using admin = await startAdmin();
  const { client, addr: listenerAddr } = admin;
  const gate = Promise.withResolvers<void>();
  const held = admin.control.state.exclusive(() => gate.promise);
  const aborter = new AbortController();
  const route = { listenerAddr, hostname: "gone.example", backend: "10.0.0.1:1" };
  const call = client.addRoute(route, { signal: aborter.signal });
  await client.healthy();
  aborter.abort();
  await assert.rejects(call, { code: "cancelled" });
  await client.healthy();
  gate.resolve();
  await held;
  await client.addRoute({ ...route, hostname: "next.example" });
  const { routes } = await client.listRoutes({ listenerAddr });
  assert.deepEqual(routes.map(({ hostname }) => hostname), ["next.example"]);
});

Deno.test("changes at one time are made one after the other, and none is lost", async () => {
  await using admin = await startAdmin();
  const { client, addr: listenerAddr } = admin;
  const add = (i: number) =>
    client.addRoute({ listenerAddr, hostname: `h${i % 40}.example`, backend: "10.0.0.1:1" })
      .then(() => "added", ({ code }) => code as string);
  const results = await Promise.all(Array.from({ length: 80 }, (_, i) => add(i)));
  assert.equal(results.filter((result) => result === "added").length, 40);
  assert.equal(results.filter((result) => result === "already_exists").length, 40);
  assert.equal((await client.listRoutes({ listenerAddr })).routes.length, 40);
  assert.equal((await client.getAuditLog({})).entries.length, 40);
});

Deno.test("more calls than the server answers at one time are refused", async () => {
  await using admin = await startAdmin();
  const gate = Promise.withResolvers<void>();
  const held = admin.control.state.exclusive(() => gate.promise);
  using first = openSession(admin.socketPath);
  using second = openSession(admin.socketPath);
  using third = openSession(admin.socketPath);
  // rate_limit = {}: switches it off, once the gate opens.
  const body = frameMessage(Uint8Array.of(0x0a, 0));
  const call = (session: ClientHttp2Session) => {
    return sendOn(session, { ":path": `${PATH}SetRateLimit` }, body);
  };
  const calls = [first, second, third].flatMap((session) => {
    return Array.from({ length: 100 }, () => call(session));
  });
  // 256 of 300 wait for their turn; the others are told at once.
  const refused = () => calls.map(async (it) => (await it).head["grpc-status"] === "8");
  const early = await Promise.race([
    Promise.any(refused().map(async (it) => await it || fail())),
    held,
  ]);
  assert.equal(early, true);
  gate.resolve();
  await held;
  const statuses = (await Promise.all(calls)).map(({ head, trailers }) => {
    return trailers["grpc-status"] ?? head["grpc-status"];
  });
  assert.equal(statuses.filter((status) => status === "8").length, 300 - 256);
  assert.equal(statuses.filter((status) => status === "0").length, 256);
  assert.equal(await admin.client.healthy(), true);
});

function fail(): never {
  throw new Error("not refused");
}

Deno.test("closing the server ends streams with `unavailable`", async () => {
  const admin = await startAdmin();
  const stream = admin.client.watchStatus({ interval: durationFromMs(60_000) });
  await stream.next();
  const next = stream.next();
  await Promise.all([
    assert.rejects(next, { code: "unavailable" }),
    admin.server.close(),
  ]);
  await admin[Symbol.asyncDispose]();
});
