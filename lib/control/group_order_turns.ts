import { AcmeError } from "../acme/mod.ts";
import type { AcmeOrder } from "../db/mod.ts";
import { FleetLinkError, type GroupOrders, type HeldTurn } from "../fleet/mod.ts";
import { describeError, type LogSink } from "../observe/mod.ts";
import type { OrderTurn, OrderTurns, TurnAnswer } from "./order_turns.ts";

/** How long a turn lasts that nobody keeps: so soon another proxy takes over from one that died. */
const LEASE_MS = 15_000;
/**
 * Of the lease, after which a holder that could not keep it stops: it counts from before it asked, and
 * PostgreSQL from after, so that clocks may differ in pace by the rest.
 */
const OWN_SHARE = 0.8;
/** Lost answers until then cost nothing. */
const KEEPS_IN_A_LEASE = 4;
/** When PostgreSQL is asked again that did not answer. */
const RETRY_MS = 5_000;

/** What {@link GroupOrderTurns} works with. */
export interface GroupOrderTurnsOptions {
  readonly orders: GroupOrders;
  /** Of the authority. */
  readonly directory: string;
  readonly log: LogSink;
  /** Default: 15,000. */
  readonly leaseMs?: number | undefined;
}

/** Turns of a group, whose proxies order one after the other, a name at a time. */
export class GroupOrderTurns implements OrderTurns {
  readonly #options: GroupOrderTurnsOptions;
  readonly #held = new Map<string, GroupOrderTurn>();
  #problem: string | undefined;

  constructor(options: GroupOrderTurnsOptions) {
    this.#options = options;
  }

  get problem(): string | undefined {
    return this.#problem;
  }

  /** The turn of a name, while it is this proxy's. */
  held(name: string): GroupOrderTurn | undefined {
    return this.#held.get(name);
  }

  async take(name: string, _cancelled: AbortSignal): Promise<TurnAnswer> {
    const { orders, directory, log, leaseMs = LEASE_MS } = this.#options;
    const asked = clocks();
    try {
      const limits = { leaseMs, maxAnHour: 0, maxThreeHours: 0 };
      const taken = await orders.take({ directory, name }, limits);
      this.#problem = undefined;
      if (taken.status === "wait") return { status: "wait", waitMs: taken.waitMs };
      const turn = new GroupOrderTurn({
        ...{ orders, held: taken.turn, leaseMs, asked, log },
        onEnd: () => this.#held.delete(name),
      });
      this.#held.set(name, turn);
      return { status: "ours", turn };
    } catch (error) {
      if (!(error instanceof FleetLinkError)) throw error;
      this.#problem = describeError(error);
      return { status: "wait", waitMs: RETRY_MS };
    }
  }
}

interface GroupOrderTurnOptions {
  readonly orders: GroupOrders;
  readonly held: HeldTurn;
  readonly leaseMs: number;
  /** When it was asked for. */
  readonly asked: Clocks;
  readonly log: LogSink;
  readonly onEnd: () => void;
}

/** A turn that is kept until it ends, or until nobody says that it lasts. */
export class GroupOrderTurn implements OrderTurn {
  readonly held: HeldTurn;
  readonly #options: GroupOrderTurnOptions;
  readonly #lost = new AbortController();
  readonly #keeping: ReturnType<typeof setInterval>;
  #losing: ReturnType<typeof setTimeout> | undefined;
  #kept: Clocks;
  #isEnded = false;

  constructor(options: GroupOrderTurnOptions) {
    this.#options = options;
    this.held = options.held;
    this.#kept = options.asked;
    this.#keeping = setInterval(() => void this.#keep(), options.leaseMs / KEEPS_IN_A_LEASE);
    this.#losing = this.#lostInTime();
  }

  get signal(): AbortSignal {
    return this.#lost.signal;
  }

  get left(): AcmeOrder | undefined {
    return undefined;
  }

  check(): void {
    if (!this.#isEnded && sinceMs(this.#kept) > this.#ownMs) this.lose("it was not kept in time");
    if (this.signal.aborted) throw new AcmeError("cancelled", "it is another proxy's turn");
  }

  note(_order: AcmeOrder): Promise<void> {
    this.check();
    return Promise.resolve();
  }

  async end({ waitMs }: { readonly waitMs: number }): Promise<void> {
    this.#stop();
    // Of a turn that was lost nothing is said: it is another's.
    if (this.signal.aborted) return;
    // If that is lost on its way, the lease ends all the same.
    await this.#options.orders.end(this.held, { waitMs, note: "" }).catch(() => {});
  }

  get #ownMs(): number {
    return this.#options.leaseMs * OWN_SHARE;
  }

  async #keep(): Promise<void> {
    const { orders, leaseMs } = this.#options;
    const asked = clocks();
    try {
      const isOurs = await orders.keep(this.held, leaseMs);
      if (this.#isEnded) return;
      if (!isOurs) return this.lose("PostgreSQL says so");
      this.#kept = asked;
      clearTimeout(this.#losing);
      this.#losing = this.#lostInTime();
    } catch (error) {
      if (!(error instanceof FleetLinkError)) throw error;
      // Asked again before the time is over.
    }
  }

  #lostInTime(): ReturnType<typeof setTimeout> {
    const leftMs = Math.max(0, this.#ownMs - sinceMs(this.#kept));
    return setTimeout(() => this.lose("PostgreSQL has not answered in time"), leftMs);
  }

  /** Nothing more is asked of the authority, nor said to the group. */
  lose(reason: string): void {
    if (this.#isEnded) return;
    this.#stop();
    const { held: { name }, log } = this.#options;
    const fields = { hostname: name, reason };
    log({ level: "warn", message: "it is no longer this proxy's turn to order", fields });
    this.#lost.abort();
  }

  #stop(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    clearInterval(this.#keeping);
    clearTimeout(this.#losing);
    this.#options.onEnd();
  }
}

/** One stands still while the machine sleeps, the other may be set. */
interface Clocks {
  readonly steadyMs: number;
  readonly wallMs: number;
}

function clocks(): Clocks {
  return { steadyMs: performance.now(), wallMs: Date.now() };
}

/** By the clock that has gone further. */
function sinceMs({ steadyMs, wallMs }: Clocks): number {
  return Math.max(performance.now() - steadyMs, Date.now() - wallMs);
}
