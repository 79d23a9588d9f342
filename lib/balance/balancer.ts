import type { BackendCell } from "./cell.ts";
import { type BalancePolicy, POLICIES, usable } from "./choose.ts";
import { BALANCE_LIMITS, type BalanceLimits } from "./limits.ts";
import { type BalancedBackend, Member } from "./member.ts";
import { Place, type PlaceOwner } from "./place.ts";
import type { NoPlace, PlaceRequest } from "./place_request.ts";
import { RetryBudget } from "./retry_budget.ts";
import { WaitingLines } from "./waiting_lines.ts";

/** What a route says of its backends, or one of its paths of those that are its own. */
export interface BalancedRoute {
  readonly id: number;
  /** Of a path: see {@link CellName.path}. */
  readonly pathName?: string | undefined;
  readonly backends: readonly BalancedBackend[];
  readonly balance?: BalancePolicy;
  readonly queueLength?: number;
  readonly queueTimeoutMs?: number;
}

/** What a balancer needs of its thread. */
export interface BalancerHost {
  readonly worker: number;
  /** Milliseconds that never run backwards, and since 1970. */
  readonly now: () => number;
  readonly wallNow: () => number;
  readonly random: () => number;
  /** Calls `fn` once, `ms` from now, unless the returned function is called. */
  readonly after: (ms: number, fn: () => void) => () => void;
  /** The shared memory of a backend. */
  readonly cell: (addr: string) => BackendCell;
}

/** How many wait, and for how long, where a route says nothing of it. */
export const DEFAULT_QUEUE = { length: 128, timeoutMs: 5000 } as const;

/**
 * Chooses between the backends of one route, for one thread. What it knows of their health and of
 * how many use them is shared with all other threads; whose turn it is, who waits and what may be
 * tried again is its own.
 */
export class Balancer implements PlaceOwner {
  readonly #host: BalancerHost;
  readonly #limits: BalanceLimits;
  readonly #lines: WaitingLines;
  readonly #budget: RetryBudget;
  #route: BalancedRoute;
  #members: readonly Member[] = [];
  /** Places that are taken. */
  open = 0;

  constructor(
    route: BalancedRoute,
    host: BalancerHost,
    limits: BalanceLimits = BALANCE_LIMITS,
  ) {
    this.#host = host;
    this.#limits = limits;
    this.#route = route;
    this.#budget = new RetryBudget(limits);
    this.#lines = new WaitingLines({
      now: () => host.now(),
      after: (ms, fn) => host.after(ms, fn),
      pollMs: limits.pollMs,
      tryNow: (request) => this.#take(request),
    });
    this.#members = this.#membersOf(route);
  }

  /** What the route says now: turns and counts of backends that stay go on. */
  update(route: BalancedRoute): void {
    if (route === this.#route) return;
    this.#route = route;
    this.#members = this.#membersOf(route);
    this.#lines.serve();
  }

  #membersOf({ backends }: BalancedRoute): Member[] {
    const before = new Map(this.#members.map((member) => [member.backend.addr, member]));
    return backends.map((backend) => {
      const member = new Member(backend, this.#host.cell(backend.addr));
      const known = before.get(backend.addr);
      if (known !== undefined) member.continues(known);
      return member;
    });
  }

  /** Those that wait. */
  get waiting(): number {
    return this.#lines.size;
  }

  /** Backends that a first attempt could go to. */
  get choices(): number {
    return usable(this.#members, this.#host.wallNow()).members.length;
  }

  /**
   * Finds a place at a backend, now or when one is free: `onPlace` is called once, also from inside,
   * unless the returned function is called before.
   */
  acquire(request: PlaceRequest, onPlace: (found: Place | NoPlace) => void): () => void {
    if (request.tried.size === 0) this.#budget.dialled(this.#host.now());
    const { queueLength = DEFAULT_QUEUE.length, queueTimeoutMs = DEFAULT_QUEUE.timeoutMs } =
      this.#route;
    // Whoever waits was there before.
    const line = this.#lines.of(request.only);
    const found = line.size === 0 ? this.#take(request) : "full";
    const isFull = found === "full" && line.size < queueLength && queueTimeoutMs > 0;
    if (isFull) return line.enter(request, onPlace, queueTimeoutMs);
    onPlace(found);
    return () => {};
  }

  /**
   * Whether somebody whose backend has failed may go to another one: there is one, it was not to
   * too many, and not too many do.
   */
  mayRetry(tried: ReadonlySet<string>): boolean {
    return this.attemptsLeft(tried) > 0 && this.spendRetry();
  }

  /** Takes a retry out of the budget; `false`: there is none left. */
  spendRetry(): boolean {
    return this.#budget.retry(this.#host.now());
  }

  /** Backends that are left to one that was to some already. */
  attemptsLeft(tried: ReadonlySet<string>): number {
    const left = this.#untried({ tried });
    return Math.max(0, Math.min(this.#limits.attempts - tried.size, left.length));
  }

  /** Called by places. */
  released(): void {
    this.open--;
    this.#lines.serve();
  }

  /** Called by places: the backend of one has failed. */
  failed(member: Member): void {
    member.prove();
    if (!member.cell.failed()) return;
    // The last one is never out: when all are, all are tried.
    if (this.#members.filter(({ isEnabled }) => isEnabled).length < 2) return;
    member.cell.takeOut(this.#host.wallNow());
  }

  /** Called by places: the backend of one has answered. Of all that are out it is back at once. */
  succeeded({ cell }: Member, isProbe: boolean): void {
    cell.succeeded();
    if (isProbe) cell.comeBack(this.#host.wallNow());
  }

  /** Looks which connections have brought an answer; about once a second. */
  tick(): void {
    for (const member of this.#members) member.prove();
  }

  #untried({ tried, only }: Pick<PlaceRequest, "tried" | "only">): readonly Member[] {
    // The last one is never out, and of one alone each is the last.
    if (only !== undefined) {
      return this.#members.filter(({ backend: { addr }, isEnabled }) =>
        addr === only && isEnabled && !tried.has(addr)
      );
    }
    const now = this.#host.wallNow();
    const left = usable(this.#members, now).members.filter(({ backend }) =>
      !tried.has(backend.addr)
    );
    if (left.length > 0) return left;
    // All primaries that are well were tried: the backups are what they are for.
    return this.#members.filter(({ backend, cell, isEnabled }) =>
      isEnabled && cell.isWell(now) && !tried.has(backend.addr)
    );
  }

  #take(request: PlaceRequest): Place | NoPlace {
    const { source } = request;
    const nowMs = this.#host.wallNow();
    let members = this.#untried(request);
    if (members.length === 0) return "none";
    const { because } = usable(this.#members, nowMs);
    // Nobody knows which is back first: each is tried in turn.
    const policy = because === "all_down" ? "round_robin" : this.#route.balance ?? "round_robin";
    const context = { source, nowMs, random: this.#host.random };
    while (members.length > 0) {
      const member = POLICIES[policy](members, context);
      if (member.cell.acquire(this.#host.worker, member.backend.maxConnections ?? 0)) {
        this.open++;
        const isProbe = member.cell.isOut(nowMs);
        return new Place(this, member, { worker: this.#host.worker, isProbe });
      }
      members = members.filter((other) => other !== member);
    }
    return "full";
  }
}
