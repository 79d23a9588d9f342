import { AcmeError } from "../acme/mod.ts";
import type { AcmeOrder } from "../db/mod.ts";
import {
  FleetLinkError,
  type GroupOrders,
  type HeldTurn,
  type SealedAs,
  type Sealer,
  type Taken,
  type TurnLimits,
} from "../fleet/mod.ts";
import { MAX_OF_NAME, MAX_ORDERS } from "./issuance_limits.ts";
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
/** Each proxy counts for itself: each has its account. */
const NO_LIMITS: Omit<TurnLimits, "leaseMs"> = { maxAnHour: 0, maxThreeHours: 0 };
/** Of one account, over all proxies. */
const SHARED_LIMITS: Omit<TurnLimits, "leaseMs"> = {
  maxAnHour: MAX_OF_NAME,
  maxThreeHours: MAX_ORDERS,
};
/** What the turn is for in which the account is made. */
const ACCOUNT = "";
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
  /** What the group shares; absent: each proxy has its own account and its own certificates. */
  readonly sharing?: TurnSharing | undefined;
}

/** What a turn has to do with what the group shares. */
export interface TurnSharing {
  readonly sealer: Sealer;
  /** Whether the account at the authority is there. */
  readonly hasAccount: () => boolean;
  /**
   * Takes what others have shared, and shares what is here.
   *
   * @throws {FleetLinkError}
   */
  readonly look: () => Promise<void>;
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

  async take(name: string, openAccount: () => Promise<unknown>): Promise<TurnAnswer> {
    const { sharing } = this.#options;
    let turn: GroupOrderTurn | undefined;
    try {
      const answer = await this.#takeOne(name);
      if ("waitMs" in answer) return { status: "wait", waitMs: answer.waitMs };
      turn = answer;
      // What others have got before is there before anything is ordered.
      await sharing?.look();
      const waitMs = await this.#withAccount(openAccount);
      this.#problem = undefined;
      if (waitMs === 0) return { status: "ours", turn };
      await turn.end({ waitMs: 0, order: turn.left });
      return { status: "wait", waitMs };
    } catch (error) {
      await turn?.end({ waitMs: 0, order: turn.left });
      if (!(error instanceof FleetLinkError)) throw error;
      this.#problem = describeError(error);
      return { status: "wait", waitMs: RETRY_MS };
    }
  }

  /** @throws {FleetLinkError} */
  async #takeOne(name: string): Promise<GroupOrderTurn | { readonly waitMs: number }> {
    const { orders, directory, log, leaseMs = LEASE_MS, sharing } = this.#options;
    const asked = clocks();
    const limits = sharing === undefined ? NO_LIMITS : SHARED_LIMITS;
    const taken = await orders.take({ directory, name }, { leaseMs, ...limits });
    if (taken.status === "wait") return { waitMs: taken.waitMs };
    const turn = new GroupOrderTurn({
      ...{ orders, held: taken.turn, leaseMs, asked, log, sharing },
      left: await openNote(taken, sharing?.sealer),
      onEnd: () => this.#held.delete(name),
    });
    this.#held.set(name, turn);
    return turn;
  }

  /**
   * Has the account made by one proxy, for all; gives for how long that is another's business.
   *
   * @throws {FleetLinkError}
   */
  async #withAccount(openAccount: () => Promise<unknown>): Promise<number> {
    const { sharing } = this.#options;
    if (sharing === undefined || sharing.hasAccount()) return 0;
    const turn = await this.#takeOne(ACCOUNT);
    if ("waitMs" in turn) return turn.waitMs;
    try {
      await sharing.look();
      if (sharing.hasAccount()) return 0;
      // What goes wrong there goes wrong in the order, too, and is said as that.
      await openAccount().catch(() => {});
      await sharing.look();
      return 0;
    } finally {
      await turn.end({ waitMs: 0 });
    }
  }
}

/** Opens what another proxy has left; nothing where that is nothing that can be used. */
async function openNote(
  { note, turn: { directory, name } }: Extract<Taken, { status: "ours" }>,
  sealer: Sealer | undefined,
): Promise<AcmeOrder | undefined> {
  const [, fence, sealed = ""] = /^(\d{1,15}):(.*)$/.exec(note) ?? [];
  if (sealer === undefined || fence === undefined) return undefined;
  const opened = await sealer.unseal(sealedAs({ directory, name, fence: Number(fence) }), sealed);
  return opened.ok ? JSON.parse(opened.text) : undefined;
}

function sealedAs({ directory, name, fence }: HeldTurn): SealedAs {
  return { name: `order ${directory} ${name}`, version: fence };
}

interface GroupOrderTurnOptions {
  readonly orders: GroupOrders;
  readonly held: HeldTurn;
  readonly leaseMs: number;
  /** When it was asked for. */
  readonly asked: Clocks;
  readonly log: LogSink;
  /** Absent: nobody else can go on with an order of this proxy's account. */
  readonly sharing: TurnSharing | undefined;
  readonly left: AcmeOrder | undefined;
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
    return this.#options.left;
  }

  check(): void {
    if (!this.#isEnded && sinceMs(this.#kept) > this.#ownMs) this.lose("it was not kept in time");
    if (this.signal.aborted) throw new AcmeError("cancelled", "it is another proxy's turn");
  }

  async note(order: AcmeOrder): Promise<void> {
    this.check();
    const { orders, sharing } = this.#options;
    if (sharing === undefined) return;
    try {
      if (!await orders.note(this.held, await this.#noteOf(order))) this.lose("PostgreSQL says so");
    } catch (error) {
      if (!(error instanceof FleetLinkError)) throw error;
      // Nobody could go on with an order that nobody knows of.
      this.lose(describeError(error));
    }
    this.check();
  }

  async end(
    { waitMs, order }: { readonly waitMs: number; readonly order?: AcmeOrder | undefined },
  ): Promise<void> {
    const { orders, sharing } = this.#options;
    try {
      // Before the turn is another's: he would order what is here already.
      await sharing?.look();
      this.#stop();
      // Of a turn that was lost nothing is said: it is another's.
      if (this.signal.aborted) return;
      const note = order === undefined ? "" : await this.#noteOf(order);
      await orders.end(this.held, { waitMs, note });
    } catch (error) {
      if (!(error instanceof FleetLinkError)) throw error;
      // It ends with its lease, and whoever is next goes on with what was noted.
    } finally {
      this.#stop();
    }
  }

  async #noteOf({ proof: _, ...order }: AcmeOrder): Promise<string> {
    const { sealer } = this.#options.sharing ?? {};
    if (sealer === undefined) return "";
    const { held } = this;
    return `${held.fence}:${await sealer.seal(sealedAs(held), JSON.stringify(order))}`;
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
