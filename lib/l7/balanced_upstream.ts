import type { Balancer, NoPlace, Place } from "../balance/mod.ts";
import { ALL_BACKENDS } from "../observe/mod.ts";
import type { Lease, PoolFailure, RequestNeeds, Upstream, Waiter } from "../upstream/mod.ts";
import type { BackendConnection } from "./message.ts";

type Pool = Upstream<BackendConnection>;
type Requester = Waiter<BackendConnection>;

/** One request on its way to one of several backends. */
interface Attempt {
  readonly tried: Set<string>;
  needs: RequestNeeds;
  /** While it waits for a place, or for a connection. */
  cancel: () => void;
}

/**
 * Several backends in the place of one: the balancer says which, and the pool of that one finds the
 * connection. A backend that cannot be reached is replaced by another one before the request hears
 * of it; one that broke off is, where the request says that it may be sent again.
 */
export class BalancedUpstream implements Upstream<BackendConnection> {
  readonly #balancer: Balancer;
  readonly #poolOf: (addr: string) => Pool;
  readonly #attempts = new WeakMap<Requester, Attempt>();
  /** Pools in which connections were opened for one client alone. */
  readonly #own = new WeakMap<object, Set<Pool>>();

  constructor(balancer: Balancer, poolOf: (addr: string) => Pool) {
    this.#balancer = balancer;
    this.#poolOf = poolOf;
  }

  acquire(waiter: Requester, needs: RequestNeeds): void {
    let attempt = this.#attempts.get(waiter);
    if (attempt === undefined) {
      attempt = { tried: new Set(), needs, cancel: () => {} };
      this.#attempts.set(waiter, attempt);
    }
    attempt.needs = needs;
    this.#next(waiter, attempt);
  }

  cancel(waiter: Requester): void {
    const attempt = this.#attempts.get(waiter);
    this.#attempts.delete(waiter);
    attempt?.cancel();
  }

  /** At another backend if there is one, at the same one if it is the only one; not too often. */
  mayRepeat(waiter: Requester): boolean {
    const tried = this.#attempts.get(waiter)?.tried;
    if (tried === undefined) return false;
    if (this.#balancer.attemptsLeft(tried) === 0) {
      if (tried.size > 1) return false;
      tried.clear();
    }
    return this.#balancer.spendRetry();
  }

  forget(affinity: object): void {
    for (const pool of this.#own.get(affinity) ?? []) pool.forget(affinity);
    this.#own.delete(affinity);
  }

  #next(waiter: Requester, attempt: Attempt): void {
    const request = { source: attempt.needs.client, tried: attempt.tried };
    let found = false;
    const cancel = this.#balancer.acquire(request, (place) => {
      found = true;
      if (typeof place === "string") waiter.onUnavailable(noPlace(place));
      else this.#connect(waiter, attempt, place);
    });
    if (!found) attempt.cancel = cancel;
  }

  #connect(waiter: Requester, attempt: Attempt, place: Place): void {
    const { tried, needs } = attempt;
    const { addr: backend } = place;
    const pool = this.#poolOf(backend);
    if (needs.affinity !== undefined) this.#remember(needs.affinity, pool);
    tried.add(backend);
    const inner: Requester = {
      onLease: (lease) => {
        attempt.cancel = () => {};
        waiter.onLease(leaseAt(place, lease));
      },
      onUnavailable: (failure) => {
        attempt.cancel = () => {};
        const isOurs = failure.kind === "busy";
        if (!isOurs) place.failed();
        place.release();
        const named = { ...failure, backend };
        if (!this.#mayGoOn(tried, failure)) return waiter.onUnavailable(named);
        if (!isOurs) waiter.onFailedOver?.(named);
        this.#next(waiter, attempt);
      },
    };
    attempt.cancel = () => {
      pool.cancel(inner);
      place.release();
    };
    pool.acquire(inner, needs);
  }

  /** A backend that drains has not failed: going elsewhere costs nothing of the budget. */
  #mayGoOn(tried: ReadonlySet<string>, { retired }: PoolFailure): boolean {
    return retired ? this.#balancer.attemptsLeft(tried) > 0 : this.#balancer.mayRetry(tried);
  }

  #remember(affinity: object, pool: Pool): void {
    const pools = this.#own.get(affinity);
    if (pools === undefined) this.#own.set(affinity, new Set([pool]));
    else pools.add(pool);
  }
}

/** The lease of a pool, and with it the place at the backend. */
function leaseAt(place: Place, lease: Lease<BackendConnection>): Lease<BackendConnection> {
  return {
    link: lease.link,
    backend: place.addr,
    answered: () => place.succeeded(),
    brokeOff: () => place.failed(),
    release() {
      lease.release();
      place.release();
    },
  };
}

/** Why no backend takes the request. */
function noPlace(found: NoPlace): PoolFailure {
  return found === "full"
    ? {
      kind: "full",
      backend: ALL_BACKENDS,
      reason: "every backend has as many requests as it may",
    }
    : { kind: "unreachable", reason: "no backend is left" };
}
