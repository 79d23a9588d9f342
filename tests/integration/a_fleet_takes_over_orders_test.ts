/**
 * A proxy that orders dies at each step of an order: another one goes on with it, and orders nothing twice.
 */
import assert from "node:assert/strict";
import { setTimeout as timer } from "node:timers/promises";
import { FleetLink, FleetLinkError } from "../../lib/fleet/mod.ts";
import { saidTimes, shareKey, startOrderer } from "../support/acme_fleet.ts";
import { testWithCommands } from "../support/commands.ts";
import { eventually } from "../support/deadline.ts";
import { createFleet, type FleetMember } from "../support/fleet.ts";
import { type Pebble, PEBBLE_COMMANDS, startPebble } from "../support/pebble.ts";
import { unusedPorts } from "../support/ports.ts";
import { HAS_POSTGRES, startPostgres } from "../support/postgres.ts";
import { temporaryFolder } from "../support/temporary_folder.ts";

const COMMANDS = HAS_POSTGRES ? PEBBLE_COMMANDS : [...PEBBLE_COMMANDS, "postgres"];
const WAIT_MS = 30_000;
const LEASE_MS = 1_000;
const NAMES = ["ordered.example", "shown.example", "one.example", "two.example"];

testWithCommands(COMMANDS, "orders of a proxy that dies are gone on with by another", async () => {
  const [tlsPort = 0, port = 0] = await unusedPorts(2);
  const [pebble, postgres] = await Promise.all([startPebble({ tlsPort }), startPostgres()]);
  using folder = temporaryFolder();
  await using stack = new AsyncDisposableStack();
  stack.use(pebble);
  stack.use(postgres);
  await createFleet(postgres, { edge: ["p1", "p2"] });
  const key = shareKey();
  const start = (options: Omit<Parameters<typeof startOrderer>[1], "root">) =>
    startOrderer({ postgres, pebble }, {
      ...{ root: folder.path, hostnames: NAMES, shareKeys: [key], ...options },
      orders: { leaseMs: LEASE_MS, ...options.orders },
    });
  // The second answers the authority, and has no turn before the first has had all of them.
  const dead = Promise.withResolvers<void>();
  const second = stack.use(
    await start({
      ...{ role: "p2", port: tlsPort },
      onLink: ({ orders }) => {
        const { take } = orders;
        orders.take = async (...what) => {
          await dead.promise;
          return await take.apply(orders, what);
        };
      },
    }),
  );
  // The first dies where the order is made, where the proof is shared, where the certificate is issued,
  // and where it is here and shared with nobody.
  const dying = new Dying(pebble);
  const first = await start({
    ...{ role: "p1", port, onLink: (link) => dying.watch(link) },
    orders: { delay: (ms, signal) => dying.delay(ms, signal) },
  });
  await eventually(() => dying.isEverywhere, "each order has come to its step", WAIT_MS);
  assert.equal(issuedBy(pebble), 2);
  dying.die();
  dead.resolve();
  await eventually(() => served(second).length === NAMES.length, "all are there", WAIT_MS);
  assert.equal(ordersOf(pebble), NAMES.length, "none was ordered twice");
  assert.equal(issuedBy(pebble), NAMES.length);
  assert.equal(saidTimes(second, "certificate could not be obtained"), 0);

  // It comes back, and has what the other has got.
  dying.end();
  await first[Symbol.asyncDispose]();
  await using again = await start({ role: "p1", port });
  await eventually(() => served(again).length === NAMES.length, "it has them, too", WAIT_MS);
  const same = () => served(again).join() === served(second).join();
  await eventually(same, "both have the same", WAIT_MS);
  assert.equal(ordersOf(pebble), NAMES.length);
});

function served({ control }: FleetMember): string[] {
  return (control.state.snapshot.tls ?? []).map(({ certPem }) => certPem).sort();
}

function ordersOf(pebble: Pebble): number {
  return [...pebble.output().matchAll(/Added order "/g)].length;
}

function issuedBy(pebble: Pebble): number {
  return [...pebble.output().matchAll(/Issued certificate serial/g)].length;
}

/** Holds each order at its step, and then says no more, as a process that was killed. */
class Dying {
  readonly #pebble: Pebble;
  readonly #over = Promise.withResolvers<never>();
  readonly #issued = Promise.withResolvers<void>();
  readonly #steps = new Set<string>();
  #isDead = false;
  #link: FleetLink | undefined;

  constructor(pebble: Pebble) {
    this.#pebble = pebble;
    this.#over.promise.catch(() => {});
  }

  get isEverywhere(): boolean {
    return this.#steps.size === NAMES.length;
  }

  watch(link: FleetLink): void {
    this.#link = link;
    const { orders, secrets } = link;
    const shown = new Map<string, string>();
    const [show, reach, put] = [orders.show, orders.reach, secrets.put];
    orders.show = async (turn, proof) => {
      if (turn.name === "ordered.example") return await this.#stop("ordered");
      // One after the other, so that it is known whose certificate is issued.
      if (turn.name === "two.example") await this.#issued.promise;
      const id = await show.call(orders, turn, proof);
      if (id !== undefined) shown.set(id, turn.name);
      return id;
    };
    orders.reach = async (id) => {
      if (shown.get(id) === "shown.example") return await this.#stop("shown");
      return await reach.call(orders, id);
    };
    secrets.put = async (secret, seen) => {
      if (secret.name.startsWith("certificate ")) return await this.#stop("got");
      return await put.call(secrets, secret, seen);
    };
  }

  /** The first who waits for a certificate that is issued waits for ever. */
  async delay(ms: number, signal: AbortSignal): Promise<void> {
    await timer(Math.min(ms, 100), undefined, { signal });
    if (this.#steps.has("issued") || issuedBy(this.#pebble) === 0) return;
    this.#issued.resolve();
    await this.#stop("issued");
  }

  die(): void {
    this.#isDead = true;
    const { orders, secrets } = this.#link ?? {};
    const never = () => this.#over.promise;
    const silent = { take: never, keep: never, note: never, end: never, proofs: never };
    Object.assign(orders ?? {}, { ...silent, show: never, reach: never, sayShown: never });
    Object.assign(secrets ?? {}, { read: never, put: never });
  }

  end(): void {
    assert.ok(this.#isDead);
    this.#over.reject(new FleetLinkError("it is dead"));
  }

  async #stop(step: string): Promise<never> {
    this.#steps.add(step);
    return await this.#over.promise;
  }
}
