import assert from "node:assert/strict";
import {
  type Connect,
  ConnectDeadlines,
  dial,
  DialError,
  interleaveFamilies,
} from "../../../lib/relay/mod.ts";
import { FakeTimers } from "../../support/fake_timers.ts";

/** A connection that remembers whether it was closed. */
class FakeConnection {
  closed = false;
  constructor(readonly hostname: string) {}
  close() {
    this.closed = true;
  }
}

type Plan = Record<string, "ok" | "refuse" | "hang" | "late">;

/** Answers per address as planned, and keeps what was asked for, opened, and given up. */
function network(plan: Plan) {
  const tried: string[] = [];
  const opened: FakeConnection[] = [];
  const late: (() => void)[] = [];
  const abandoned: string[] = [];
  const connect: Connect<FakeConnection> = ({ hostname, signal }) => {
    tried.push(hostname);
    signal.addEventListener("abort", () => abandoned.push(hostname), { once: true });
    const open = () => {
      const connection = new FakeConnection(hostname);
      opened.push(connection);
      return connection;
    };
    switch (plan[hostname]) {
      case "ok":
        return Promise.resolve(open());
      case "late":
        return new Promise((resolve) => late.push(() => resolve(open())));
      case "hang":
        return new Promise((_, reject) => {
          signal.addEventListener("abort", () => reject(signal.reason), { once: true });
        });
      default:
        return Promise.reject(new Error("connection refused"));
    }
  };
  return { tried, opened, late, abandoned, connect };
}

/** A deadline that is not reached. */
const deadline = new AbortController().signal;
const target = { host: "origin.internal", port: 443 };

Deno.test("interleaveFamilies() alternates, starting with the resolver's first family", () => {
  assert.deepEqual(interleaveFamilies(["::1", "::2", "::3", "1.1.1.1"]), [
    "::1",
    "1.1.1.1",
    "::2",
    "::3",
  ]);
  assert.deepEqual(interleaveFamilies(["1.1.1.1", "::1", "2.2.2.2"]), [
    "1.1.1.1",
    "::1",
    "2.2.2.2",
  ]);
  assert.deepEqual(interleaveFamilies([]), []);
});

Deno.test("dial() connects to a literal address without asking the resolver", async () => {
  const { connect } = network({ "192.0.2.1": "ok" });
  const lookup = () => assert.fail("resolver asked");
  const connection = await dial({ host: "192.0.2.1", port: 1 }, {
    deadline,
    lookup,
    connect,
  });
  assert.equal(connection.hostname, "192.0.2.1");
});

const notLoopback = (address: string) => address.startsWith("127.") ? "loopback" : undefined;

Deno.test("dial() connects to nothing that is forbidden, written out or by name", async () => {
  const { tried, connect } = network({ "127.0.0.1": "ok", "10.0.0.1": "ok" });
  const lookup = () => Promise.resolve(["127.0.0.1", "127.0.0.2"]);
  const options = { deadline, lookup, connect, forbids: notLoopback };
  const forbidden = (message: RegExp) => (error: unknown) => {
    assert(error instanceof DialError);
    assert.equal(error.code, "forbidden");
    assert.match(error.message, message);
    return true;
  };
  const literal = { host: "127.0.0.1", port: 1 };
  await assert.rejects(
    dial(literal, options),
    forbidden(/127\.0\.0\.1:1: 127\.0\.0\.1 is loopback/),
  );
  await assert.rejects(
    dial(target, options),
    forbidden(/127\.0\.0\.1 is loopback, 127\.0\.0\.2 is/),
  );
  assert.deepEqual(tried, []);
});

Deno.test("dial() passes over the forbidden addresses of a name", async () => {
  const { tried, connect } = network({ "127.0.0.1": "ok", "10.0.0.1": "ok" });
  const lookup = () => Promise.resolve(["127.0.0.1", "10.0.0.1"]);
  const connection = await dial(target, { deadline, lookup, connect, forbids: notLoopback });
  assert.equal(connection.hostname, "10.0.0.1");
  assert.deepEqual(tried, ["10.0.0.1"]);
});

Deno.test("dial() connects to what it has checked, however often the name changes", async () => {
  const { tried, connect } = network({ "127.0.0.1": "ok", "10.0.0.1": "ok" });
  let asked = 0;
  const lookup = () => Promise.resolve([asked++ === 0 ? "10.0.0.1" : "127.0.0.1"]);
  await dial(target, { deadline, lookup, connect, forbids: notLoopback });
  assert.equal(asked, 1, "one look-up for check and connection");
  assert.deepEqual(tried, ["10.0.0.1"]);
});

Deno.test("dial() tries every address until one answers", async () => {
  const { tried, connect } = network({ "::1": "refuse", "10.0.0.1": "refuse", "10.0.0.2": "ok" });
  const lookup = () => Promise.resolve(["::1", "10.0.0.1", "10.0.0.2"]);
  const connection = await dial(target, { deadline, lookup, connect });
  assert.equal(connection.hostname, "10.0.0.2");
  assert.deepEqual(tried, ["::1", "10.0.0.1", "10.0.0.2"]);
});

Deno.test("dial() starts the next address while one hangs, and closes a late winner", async () => {
  const { tried, opened, late, connect } = network({ "::1": "late", "10.0.0.1": "ok" });
  const lookup = () => Promise.resolve(["::1", "10.0.0.1"]);
  const connection = await dial(target, { deadline, lookup, connect });
  assert.equal(connection.hostname, "10.0.0.1");
  assert.deepEqual(tried, ["::1", "10.0.0.1"]);
  late[0]?.();
  await new Promise((resolve) => setTimeout(resolve, 0));
  assert.equal(opened.find(({ hostname }) => hostname === "::1")?.closed, true);
  assert.equal(connection.closed, false);
});

Deno.test("dial() gives up the attempts that lost, at once", async () => {
  using timers = new FakeTimers();
  const { late, abandoned, connect } = network({ "10.0.0.1": "hang", "10.0.0.2": "late" });
  const lookup = () => Promise.resolve(["10.0.0.1", "10.0.0.2"]);
  const dialling = dial(target, { deadline, lookup, connect });
  await timers.settle();
  timers.advance(250);
  assert.equal(abandoned.length, 0);
  late[0]?.();
  assert.equal((await dialling).hostname, "10.0.0.2");
  assert.ok(abandoned.includes("10.0.0.1"));
});

Deno.test("dial() reports unreachable with the last cause when every address refused", async () => {
  const { connect } = network({});
  const lookup = () => Promise.resolve(["::1", "10.0.0.1"]);
  await assert.rejects(dial(target, { deadline, lookup, connect }), (error) => {
    assert(error instanceof DialError);
    assert.equal(error.code, "unreachable");
    assert.match(error.message, /origin\.internal:443/);
    assert.match(String((error.cause as Error).message), /refused/);
    return true;
  });
});

Deno.test("dial() gives up at its deadline while connecting and while resolving", async () => {
  const { connect } = network({ "10.0.0.1": "hang" });
  const hanging = () => Promise.resolve(["10.0.0.1"]);
  const silent = () => new Promise<string[]>(() => {});
  for (const lookup of [hanging, silent]) {
    using deadlines = new ConnectDeadlines(20);
    const deadline = deadlines.signal();
    await assert.rejects(dial(target, { deadline, lookup, connect }), {
      name: "DialError",
      code: "timeout",
      message: "cannot connect to origin.internal:443",
    });
  }
});

Deno.test("dial() tells a name that does not resolve from a backend that is down", async () => {
  const { connect } = network({});
  for (const lookup of [() => Promise.reject(new Error("ENOTFOUND")), () => Promise.resolve([])]) {
    await assert.rejects(dial(target, { deadline, lookup, connect }), {
      code: "unresolved",
    });
  }
});

Deno.test("dial() stops when its deadline aborts, before and while connecting", async () => {
  const { connect } = network({ "192.0.2.1": "hang" });
  const abort = new AbortController();
  const literal = { host: "192.0.2.1", port: 1 };
  const dialling = dial(literal, { connect, deadline: abort.signal });
  abort.abort();
  await assert.rejects(dialling, { code: "unreachable" });
  await assert.rejects(dial(target, { connect, deadline: abort.signal }), { code: "unreachable" });
});

Deno.test("ConnectDeadlines shares a signal for an eighth of the timeout", () => {
  let now = 0;
  using deadlines = new ConnectDeadlines(4000, () => now);
  const first = deadlines.signal();
  now = 499;
  assert.equal(deadlines.signal(), first);
  now = 500;
  assert.notEqual(deadlines.signal(), first);
});

Deno.test("ConnectDeadlines ends every attempt when disposed, and later ones at once", async () => {
  const { connect } = network({ "192.0.2.1": "hang" });
  const literal = { host: "192.0.2.1", port: 1 };
  const deadlines = new ConnectDeadlines(60_000);
  const dialling = dial(literal, { connect, deadline: deadlines.signal() });
  deadlines[Symbol.dispose]();
  await assert.rejects(dialling, { code: "unreachable" });
  await assert.rejects(dial(literal, { connect, deadline: deadlines.signal() }), {
    code: "unreachable",
  });
});

Deno.test("dial() gives each address a quarter of a second before it tries the next beside it", async () => {
  using timers = new FakeTimers();
  const { tried, late, connect } = network({ "10.0.0.1": "late", "10.0.0.2": "late" });
  const lookup = () => Promise.resolve(["10.0.0.1", "10.0.0.2"]);
  const dialling = dial(target, { deadline, lookup, connect });
  await timers.settle();
  timers.advance(249);
  assert.deepEqual(tried, ["10.0.0.1"]);
  timers.advance(1);
  assert.deepEqual(tried, ["10.0.0.1", "10.0.0.2"]);
  late[1]?.();
  assert.equal((await dialling).hostname, "10.0.0.2");
  assert.equal(timers.pending, 0);
});

Deno.test("dial() tries 16 addresses of a name and not one more", async () => {
  const { tried, connect } = network({});
  const addresses = Array.from({ length: 40 }, (_, i) => `10.0.0.${i}`);
  const options = { deadline, lookup: () => Promise.resolve(addresses), connect };
  await assert.rejects(dial(target, options), { code: "unreachable" });
  assert.deepEqual(tried, addresses.slice(0, 16));
});
