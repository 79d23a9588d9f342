import assert from "node:assert/strict";
import { Connection, type ConnectionOwner } from "../../../lib/upstream/connection.ts";
import type { Link } from "../../../lib/upstream/mod.ts";

/** A link that says of itself what a test wants, and notes what is done to it. */
function linkOf(protocol: Link["protocol"], more: Partial<Link> = {}) {
  const done: string[] = [];
  const link = {
    protocol,
    greeted: protocol !== "h2",
    available: true,
    settled: true,
    capacity: 1,
    tick: () => {},
    shutdown: () => void done.push("shutdown"),
    destroy: (reason: string) => void done.push(reason),
    ...more,
  } as unknown as Link;
  return { link, done };
}

const OWNER: ConnectionOwner<Link, string> = {
  opened: () => {},
  greeted: () => {},
  available: () => {},
  draining: () => {},
  failed: () => {},
  closed: () => {},
};

const connecting = () =>
  new Connection<Link, string>(OWNER, {
    queue: "q",
    offer: "auto",
    expects: 1,
    startedAt: 0,
    dueAt: 100,
  });

Deno.test("a connection takes requests while it is ready, whatever its link says", () => {
  const connection = connecting();
  assert.equal(connection.available, false);
  connection.onOpened(linkOf("h2").link);
  assert.deepEqual([connection.state, connection.available], ["greeting", false]);
  connection.onGreeted();
  assert.deepEqual([connection.state, connection.available], ["ready", true]);
  connection.onDraining();
  assert.deepEqual([connection.state, connection.available], ["draining", false]);
});

Deno.test("shutdown() lets a link of HTTP/2 say goodbye, and one of HTTP/1.1 finish what it has", () => {
  for (
    const [protocol, leases, want] of [
      ["h2", 0, "shutdown"],
      ["h2", 1, "shutdown"],
      ["http/1.1", 0, "idle"],
      ["http/1.1", 1, "shutdown"],
    ] as const
  ) {
    const connection = connecting();
    const { link, done } = linkOf(protocol, { greeted: true });
    connection.onOpened(link);
    connection.leases = leases;
    connection.shutdown();
    assert.deepEqual([connection.state, done], ["draining", [want]]);
    connection.shutdown();
    assert.deepEqual(done, [want, want], "and does so when it is asked again");
  }
});

Deno.test("shutdown() of a connection that is not open yet gives it up", () => {
  const connection = connecting();
  const reasons: string[] = [];
  connection.abandon = (reason) => reasons.push(reason);
  connection.shutdown();
  assert.deepEqual([connection.state, reasons], ["closed", ["not needed"]]);
  const greeting = connecting();
  const { link, done } = linkOf("h2");
  greeting.onOpened(link);
  greeting.shutdown();
  assert.deepEqual(done, ["not needed"]);
});
