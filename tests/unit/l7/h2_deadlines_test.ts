import assert from "node:assert/strict";
import {
  BACKEND_LIMITS,
  Budget,
  CLIENT_PREFACE,
  EDGE_LIMITS,
  FrameFlag,
  FrameType,
  OutputPool,
} from "../../../lib/h2/mod.ts";
import type { DownstreamConnection } from "../../../lib/l7/downstream_connection.ts";
import { H2Downstream } from "../../../lib/l7/h2_downstream.ts";
import { H2Backend } from "../../../lib/l7/h2_backend.ts";
import { Turns } from "../../../lib/http_io/mod.ts";
import type { LinkEnd } from "../../../lib/upstream/mod.ts";
import { FakeSocket } from "../../support/fake_socket.ts";
import { get } from "../../support/h2_pair.ts";
import { frame } from "../../support/h2_raw.ts";

const GREETING = [
  frame(FrameType.settings, 0, 0),
  frame(FrameType.settings, FrameFlag.ack, 0),
];
const crash = (error: unknown) => assert.fail(String(error));

/** What was written is written at the end of the turn. */
const turn = () => new Promise<void>((resolve) => queueMicrotask(resolve));

function count(socket: FakeSocket, type: number): number {
  return socket.frames.filter((seen) => seen.type === type && (seen.flags & 1) === 0).length;
}

Deno.test("H2Backend pings a backend that is silent under a request, and gives it up without an answer", async () => {
  const socket = new FakeSocket();
  let now = 0;
  const ends: LinkEnd[] = [];
  const link = new H2Backend(socket.asStream(), {
    events: {
      onGreeted() {},
      onAvailable() {},
      onDraining() {},
      onClosed: (end) => void ends.push(end),
    },
    limits: BACKEND_LIMITS,
    pool: new OutputPool(),
    turns: new Turns(() => 0),
    now: () => now,
    onCrash: crash,
  });
  for (const bytes of GREETING) socket.receive(bytes);
  link.request(get("/"), true, { windows: undefined, onFailure() {} } as never);
  const tick = async (ms: number) => {
    now = ms;
    link.tick(ms);
    await turn();
    await turn();
  };
  await tick(14_999);
  assert.equal(count(socket, FrameType.ping), 0);
  await tick(15_000);
  assert.equal(count(socket, FrameType.ping), 1);
  await tick(24_999);
  assert.deepEqual(ends, []);
  await tick(25_000);
  assert.deepEqual(ends.map(({ reason }) => reason), ["no answer to PING"]);
  assert.equal(socket.ended, true);
  socket.destroy();
});

Deno.test("H2Downstream ends a connection on which no request has come for longer than it may idle", async () => {
  const socket = new FakeSocket();
  let now = 0;
  const front = new H2Downstream(socket.asStream(), {} as DownstreamConnection, {
    limits: EDGE_LIMITS,
    pool: new OutputPool(),
    now: () => now,
    turns: new Turns(() => 0),
    resets: new Budget({ burst: 100, perSecond: 10 }),
    onClose() {},
    onRefusal() {},
    onGone() {},
    onCrash: crash,
  });
  socket.receive(CLIENT_PREFACE);
  for (const bytes of GREETING) socket.receive(bytes);
  const tick = async (ms: number) => {
    now = ms;
    front.tick(ms, 5000);
    await turn();
    await turn();
  };
  await tick(5000);
  assert.equal(count(socket, FrameType.goaway), 0);
  await tick(5001);
  assert(count(socket, FrameType.goaway) > 0);
  socket.destroy();
});
