/**
 * What one proxy of a fleet that shares certificates takes back at the authority is nobody's any more: a
 * certificate that was revoked, and the old key of the account.
 */
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { shareKey, startOrderer } from "../support/acme_fleet.ts";
import { testWithCommands } from "../support/commands.ts";
import { eventually } from "../support/deadline.ts";
import { createFleet, type FleetMember, inStep } from "../support/fleet.ts";
import { PEBBLE_COMMANDS, startPebble } from "../support/pebble.ts";
import { unusedPorts } from "../support/ports.ts";
import { HAS_POSTGRES, startPostgres } from "../support/postgres.ts";
import { temporaryFolder } from "../support/temporary_folder.ts";

const COMMANDS = HAS_POSTGRES ? PEBBLE_COMMANDS : [...PEBBLE_COMMANDS, "postgres"];
const WAIT_MS = 60_000;
const NAME = "a.example";
const ROLES = ["p1", "p2", "p3"];

testWithCommands(
  COMMANDS,
  "a fleet revokes a certificate and replaces its account's key",
  async () => {
    const ports = await unusedPorts(ROLES.length);
    const [tlsPort = 0] = ports;
    const [pebble, postgres] = await Promise.all([startPebble({ tlsPort }), startPostgres()]);
    using folder = temporaryFolder();
    await using stack = new AsyncDisposableStack();
    stack.use(pebble);
    stack.use(postgres);
    await createFleet(postgres, { edge: ROLES });
    const shareKeys = [shareKey()];
    const members: FleetMember[] = [];
    for (const [i, role] of ROLES.entries()) {
      const options = { root: folder.path, role, port: ports[i] ?? 0, shareKeys };
      members.push(stack.use(await startOrderer({ postgres, pebble }, options)));
    }
    const [p1, p2, p3] = members;
    assert.ok(p1 && p2 && p3);
    const orders = () => [...pebble.output().matchAll(/Added order "/g)].length;
    /** All have the same one, and none of those that were before. */
    const past: string[] = [];
    const allHaveAnother = async (what: string) => {
      await eventually(
        () => {
          const [first] = served(members);
          return first !== undefined && !past.includes(first) &&
            served(members).every((it) => it === first);
        },
        what,
        WAIT_MS,
      );
      past.push(served(members)[0] ?? "");
    };
    await allHaveAnother("a certificate");

    await p2.control.issuance?.revoke(NAME, "an operator");
    await allHaveAnother("another one, when one has revoked the first");
    assert.equal(orders(), 2);
    const serial = new X509Certificate(past[0] ?? "").serialNumber;
    const status = await pebble.manage(`/cert-status-by-serial/${serial.toLowerCase()}`);
    assert.equal(JSON.parse(status).Status, "Revoked");

    // Whoever orders next does so with a key that another proxy has made.
    const keyOf = ({ control }: FleetMember) =>
      control.state.database.issued.account(pebble.directory)?.keyPem;
    const keys = () => members.map(keyOf);
    const before = keys();
    await p3.control.issuance?.rollKey("an operator");
    await eventually(
      () => new Set(keys()).size === 1 && keys()[0] !== before[0],
      "all have the new key",
      WAIT_MS,
    );
    await p1.control.issuance?.renew(NAME);
    await allHaveAnother("one that was ordered with the new key");
    assert.equal(orders(), 3);

    // One that nobody wants any more is revoked, and no other comes: nobody keeps it for a later day.
    const route = { addr: p1.addr, hostname: NAME, close: true };
    const by = { actor: "an operator", action: "RemoveRoute" };
    await p1.control.routing.removeRoute(route, by);
    await inStep(members, p1.revision);
    const kept = () =>
      members.filter(({ control }) => control.state.database.issued.list().length > 0).length;
    assert.equal(kept(), members.length);
    await p2.control.issuance?.revoke(NAME, "an operator");
    await eventually(() => kept() === 0, "all have forgotten it", WAIT_MS);
    assert.equal(orders(), 3);
  },
);

/** The certificates that members serve. */
function served(members: readonly FleetMember[]): (string | undefined)[] {
  return members.map(({ control }) => control.state.snapshot.tls?.[0]?.certPem);
}
