import assert from "node:assert/strict";
import type { H2Stream, RequestHead } from "../../../lib/h2/mod.ts";
import { GrpcCall } from "../../../lib/rpc_server/call.ts";
import { frameMessage } from "../../../lib/rpc_server/frames.ts";
import { RpcError } from "../../../lib/rpc/mod.ts";
import type { Method } from "../../../lib/rpc_server/mod.ts";
import { ProxyAdminService } from "../../../lib/admin/gen/mc_proxy/v1/admin_pb.ts";
import { FakeTimers } from "../../support/fake_timers.ts";

const LIMITS = {
  maxCalls: 2,
  maxStreams: 1,
  maxCallMs: 60_000,
  maxMessageBytes: 100,
  maxWaitingRequests: 3,
  translate: (error: unknown) => error,
  onError: () => {},
  large: { Apply: { maxCallMs: 600_000, maxMessageBytes: 300 } },
};
const EMPTY = frameMessage(new Uint8Array());

/** A stream that notes its answer, and takes no more than one message while it is told so. */
class FakeCallStream {
  responded = false;
  messages = 0;
  full = false;
  consumed = 0;
  status: string | undefined;

  respond({ fields }: { fields: readonly string[] }): void {
    this.responded = true;
    this.#note(fields);
  }

  sendData(): boolean {
    this.messages++;
    return !this.full;
  }

  sendTrailers(fields: readonly string[]): void {
    this.#note(fields);
  }

  reset(): void {}

  consume(octets: number): void {
    this.consumed += octets;
  }

  #note(fields: readonly string[]): void {
    const at = fields.indexOf("grpc-status");
    if (at >= 0) this.status = fields[at + 1];
  }
}

function call(
  name: "getStatus" | "watchStatus" | "watchConnections" | "apply",
  handle: Method["handle"],
  { load = { calls: 0, streams: 0 }, timeout, admit }: {
    load?: { calls: number; streams: number };
    timeout?: string;
    admit?: () => Promise<void>;
  } = {},
) {
  const stream = new FakeCallStream();
  const fields = timeout === undefined ? [] : ["grpc-timeout", timeout];
  const method = { desc: methodOf(name), handle };
  const started = new GrpcCall(
    stream as unknown as H2Stream,
    { path: name, fields } as unknown as RequestHead,
    { method, limits: { ...LIMITS, ...admit !== undefined && { admit } }, load },
  );
  started.start();
  return { call: started, stream, load };
}

function methodOf(name: string) {
  const found = ProxyAdminService.methods.find(({ localName }) => localName === name);
  assert(found, name);
  return found;
}

const never = () => new Promise(() => {});

Deno.test("a call with one answer ends after the longest time there is, whatever its own deadline", async () => {
  for (const timeout of [undefined, "5H"]) {
    using timers = new FakeTimers();
    const options = timeout === undefined ? {} : { timeout };
    const { call: running, stream, load } = call("getStatus", never, options);
    running.receive(EMPTY);
    running.end();
    timers.advance(59_999);
    await timers.settle();
    assert.equal(stream.status, undefined);
    timers.advance(1);
    assert.equal(stream.status, "4");
    assert.equal(timers.pending, 0);
    assert.equal(load.calls, 1, "its handler still runs");
  }
});

Deno.test("a call ends at its own deadline where that is shorter", () => {
  using timers = new FakeTimers();
  const { stream } = call("getStatus", never, { timeout: "50m" });
  timers.advance(49);
  assert.equal(stream.status, undefined);
  timers.advance(1);
  assert.equal(stream.status, "4");
});

Deno.test("a stream of answers has no longest time, and a deadline beyond all timers is none", () => {
  using timers = new FakeTimers();
  call("watchStatus", never);
  call("watchStatus", never, { timeout: "99999H" });
  assert.equal(timers.pending, 0);
});

Deno.test("calls over the bound are refused, and each that ends makes room for one", async () => {
  using timers = new FakeTimers();
  const load = { calls: 0, streams: 0 };
  const answers = [1, 2].map(() => Promise.withResolvers<object>());
  const [first] = answers.map(({ promise }) => {
    const started = call("getStatus", () => promise, { load });
    started.call.receive(EMPTY);
    started.call.end();
    return started;
  });
  assert.equal(call("getStatus", never, { load }).stream.status, "8");
  assert.equal(load.calls, 2, "who was refused is not counted");
  answers[0]?.resolve({});
  await timers.settle();
  assert.equal(first?.stream.status, "0");
  assert.equal(load.calls, 1);
  assert.equal(call("getStatus", never, { load }).stream.status, undefined);
  answers[1]?.resolve({});
});

Deno.test("requests that wait for their handler are bounded", () => {
  using _timers = new FakeTimers();
  const { call: running, stream } = call("getStatus", never);
  for (let i = 0; i < LIMITS.maxWaitingRequests; i++) running.receive(EMPTY);
  assert.equal(stream.status, undefined);
  running.receive(EMPTY);
  assert.equal(stream.status, "8");
});

Deno.test("octets of requests that wait are bounded as those of one request are", () => {
  using _timers = new FakeTimers();
  const { call: running, stream } = call("getStatus", never);
  running.receive(frameMessage(new Uint8Array(LIMITS.maxMessageBytes)));
  assert.equal(stream.status, undefined);
  running.receive(frameMessage(new Uint8Array(1)));
  assert.equal(stream.status, "8");
});

Deno.test("a method that takes much has bounds of its own", async () => {
  using timers = new FakeTimers();
  const { maxCallMs, maxMessageBytes } = LIMITS.large.Apply;
  const { call: running, stream } = call("apply", never);
  running.receive(frameMessage(new Uint8Array(maxMessageBytes)));
  timers.advance(maxCallMs - 1);
  await timers.settle();
  assert.equal(stream.status, undefined);
  timers.advance(1);
  assert.equal(stream.status, "4");
  const over = call("apply", never);
  over.call.receive(frameMessage(new Uint8Array(maxMessageBytes + 1)));
  assert.equal(over.stream.status, "8");
});

Deno.test("a reader that is slow is waited for with one message, and left when it goes", async () => {
  let asked = 0;
  let ended = false;
  async function* answers() {
    try {
      // Not for ever: who waits for nobody would never come to an end.
      while (asked < 1000) {
        asked++;
        yield await Promise.resolve({});
      }
    } finally {
      ended = true;
    }
  }
  const { call: running, stream, load } = call("watchStatus", answers);
  stream.full = true;
  running.receive(EMPTY);
  running.end();
  const turns = () => new Promise((resolve) => setTimeout(resolve, 0));
  await turns();
  assert.deepEqual([asked, stream.messages], [1, 1]);
  running.drained();
  await turns();
  assert.deepEqual([asked, stream.messages], [2, 2]);
  running.cancel();
  await turns();
  assert.deepEqual([ended, load.streams], [true, 0]);
});

Deno.test("of a call that is not admitted yet nothing is consumed, and of one that is all", async () => {
  const admitted = Promise.withResolvers<void>();
  const answered = Promise.withResolvers<void>();
  const { call: started, stream } = call("getStatus", () => answered.resolve(), {
    admit: () => admitted.promise,
  });
  started.receive(EMPTY.subarray(0, 2));
  started.receive(EMPTY.subarray(2));
  started.end();
  assert.equal(stream.consumed, 0);
  admitted.resolve();
  await answered.promise;
  assert.equal(stream.consumed, EMPTY.length);
  started.receive(EMPTY);
  assert.equal(stream.consumed, 2 * EMPTY.length);
});

Deno.test("a call that is refused is never handled", async () => {
  const refused = Promise.withResolvers<void>();
  const { call: started, stream } = call("getStatus", () => assert.fail("it was handled"), {
    admit: () => refused.promise,
  });
  started.receive(EMPTY);
  started.end();
  refused.reject(new RpcError("unauthenticated", "who?"));
  await refused.promise.catch(() => {});
  await new Promise((resolve) => setTimeout(resolve, 0));
  assert.equal(stream.status, "16");
  assert.equal(stream.consumed, 0);
});
