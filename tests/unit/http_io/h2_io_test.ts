import assert from "node:assert/strict";
import { CLIENT_PREFACE, FrameType, H2Session, HpackEncoder } from "../../../lib/h2/mod.ts";
import { H2Io, Turns } from "../../../lib/http_io/mod.ts";

import { eventually } from "../../support/deadline.ts";
import { FakeSocket } from "../../support/fake_socket.ts";
import { Recorder } from "../../support/h2_pair.ts";
import { frame, REQUEST, setting, u32 } from "../../support/h2_raw.ts";
import { encodeBlock } from "../../support/hpack.ts";

/** A server session of a client, or a client session of a backend, on such a socket. */
function join(peer: "client" | "backend") {
  const socket = new FakeSocket();
  const recorder = new Recorder();
  const role = peer === "client" ? "server" : "client";
  const session = new H2Session({ role, now: performance.now(), handler: recorder });
  const io = new H2Io(socket.asStream(), session, {
    now: () => performance.now(),
    turns: new Turns(() => 0), // Nothing here waits for its turn.
    peer,
    onLost: () => {},
  });
  recorder.onOutput = () => io.schedule();
  io.schedule(); // The greeting waits.
  recorder.onClose = (cause) => {
    recorder.closed = cause;
    io.close();
  };
  if (peer === "client") socket.receive(CLIENT_PREFACE);
  socket.receive(frame(FrameType.settings, 0, 0, setting(4, 65535)));
  socket.receive(frame(FrameType.settings, 1, 0));
  return {
    ...{ socket, recorder, session },
    [Symbol.dispose]() {
      socket.destroy();
    },
  };
}

const PING = frame(FrameType.ping, 0, 0, new Uint8Array(8));
/** Small reads that cost nothing, with those of the greeting. */
const FREE_READS = 2000;

Deno.test("H2Io rests when a client sends many small reads, and then goes on", async () => {
  using it = join("client");
  const { socket } = it;
  let reads = PING.length;
  const start = performance.now();
  while (!socket.paused) {
    socket.receive(PING.subarray(reads % PING.length, reads % PING.length + 1));
    reads++;
    assert.ok(reads < 100_000);
  }
  const earned = performance.now() - start;
  assert.ok(reads > FREE_READS && reads <= FREE_READS + earned + 40, `${reads} reads`);
  await eventually(() => !socket.paused, "it is read again");
});

Deno.test("H2Io does not mind how a backend cuts what it says", () => {
  using it = join("backend");
  for (let i = 0; i < 5 * FREE_READS; i++) it.socket.receive(Uint8Array.of(0));
  assert.ok(!it.socket.paused);
});

Deno.test("H2Io lets a client rest that pings faster than it may, and answers all in the end", async () => {
  using it = join("client");
  const { socket, session } = it;
  const pings = 1500;
  socket.receive(Buffer.concat(Array.from({ length: pings }, () => PING)));
  assert.ok(socket.paused);
  const answered = () => socket.frames.filter(({ type }) => type === FrameType.ping).length;
  await eventually(() => answered() === pings, "every PING is answered");
  assert.ok(!session.closed, "nobody is cut off for it");
  await eventually(() => !socket.paused, "it is read again");
});

Deno.test("H2Io reads on after the end for a while, but not without end", () => {
  using it = join("client");
  const { socket, session } = it;
  socket.receive(frame(FrameType.data, 0, 0, [1])); // Breaks a rule.
  assert.ok(session.closed);
  const junk = new Uint8Array(65_536);
  let octets = 0;
  while (!socket.paused) {
    socket.receive(junk);
    octets += junk.length;
    assert.ok(octets < 1_000_000, "it stops reading");
  }
  assert.ok(
    octets > 200_000,
    "what is on its way is taken, so that our GOAWAY is not lost to a RST",
  );
});

Deno.test("H2Io hears out a backend that is gone, and not a client", () => {
  const block = encodeBlock(new HpackEncoder(), REQUEST);
  const many = Buffer.concat(
    Array.from({ length: 90 }, (_, i) => frame(FrameType.headers, 5, 2 * i + 1, block)),
  );
  using client = join("client");
  client.socket.receive(Buffer.concat([Buffer.concat(Array(1200).fill(PING)), many]));
  assert.ok(client.socket.paused);
  client.socket.destroy();
  assert.equal(client.recorder.streams.size, 0, "nobody waits for these answers");

  using backend = join("backend");
  const head = { method: "GET", scheme: "https", authority: "a.test", path: "/", fields: [] };
  const stream = backend.session.request(head, true);
  const answer = frame(
    FrameType.headers,
    5,
    1,
    encodeBlock(new HpackEncoder(), [":status", "204"]),
  );
  const pings = Buffer.concat(Array.from({ length: 60_000 }, () => PING));
  backend.socket.receive(Buffer.concat([pings, answer]));
  backend.socket.destroy();
  assert.equal(backend.recorder.streams.get(stream.id)?.response?.status, 204);
});

Deno.test("H2Io reads nothing while its peer takes nothing, and goes on when it does", async () => {
  using it = join("backend");
  const { socket } = it;
  await new Promise<void>((resolve) => queueMicrotask(resolve));
  socket.full = true;
  const pings = new Uint8Array(64 * PING.length);
  for (let at = 0; at < pings.length; at += PING.length) pings.set(PING, at);
  let reads = 0;
  while (!socket.paused && reads < 10_000) {
    socket.receive(pings);
    reads++;
    await new Promise<void>((resolve) => queueMicrotask(resolve));
  }
  assert(socket.paused, "its answers wait, and each octet read adds to them");
  const held = answers(socket);
  socket.drain();
  await eventually(() => !socket.paused, "it is read again");
  assert(answers(socket) > held);
  assert.equal(answers(socket), reads * 64, "all are answered in the end");
});

/** Answers to PING that were written. */
function answers(socket: FakeSocket): number {
  return socket.frames.filter(({ type, flags }) => type === FrameType.ping && flags === 1).length;
}

Deno.test("H2Io reads nothing while so much waits for a client that does not read, and then goes on", async () => {
  using it = join("client");
  const { socket, session, recorder } = it;
  const block = encodeBlock(new HpackEncoder(), REQUEST);
  const requests = 90;
  recorder.request = ({ stream }) => {
    stream.respond({ status: 200, fields: [] });
    stream.sendData(new Uint8Array(60_000), true);
  };
  socket.receive(frame(FrameType.windowUpdate, 0, 0, u32(requests * 60_000)));
  socket.full = true;
  socket.receive(Buffer.concat(
    Array.from({ length: requests }, (_, i) => frame(FrameType.headers, 5, 2 * i + 1, block)),
  ));
  assert.ok(session.congested && socket.paused);
  assert.ok(recorder.streams.size < requests, "what was read with it is not looked at either");
  await eventually(() => {
    socket.drain();
    return recorder.streams.size === requests && !session.congested && !socket.paused;
  }, "all is answered and read again");
});

Deno.test("H2Io reads nothing more of a client once a single read has made so much wait", () => {
  using it = join("client");
  const { socket, session, recorder } = it;
  const block = encodeBlock(new HpackEncoder(), REQUEST);
  recorder.request = ({ stream }) => {
    stream.respond({ status: 200, fields: [] });
    stream.sendData(new Uint8Array(60_000), true);
  };
  socket.receive(frame(FrameType.windowUpdate, 0, 0, u32(90 * 60_000)));
  socket.full = true;
  for (let id = 1; !session.congested; id += 2) {
    assert.equal(socket.paused, false);
    assert.ok(id < 180, "it is never too much");
    socket.receive(frame(FrameType.headers, 5, id, block));
  }
  assert.equal(socket.paused, true);
});
