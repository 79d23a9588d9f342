import type { RequestInit, WindowBudget } from "../h2/mod.ts";
import type { Lease, PoolFailure, Waiter } from "../upstream/mod.ts";
import type { ExchangeOwner, Way } from "./exchange_owner.ts";
import { ExchangeRecord, type TakenRequest } from "./exchange_record.ts";
import { STATUS_OF } from "./local_reply.ts";
import type { BackendConnection, BackendFailure } from "./message.ts";
import { mayRepeat } from "./retry.ts";

/**
 * An exchange on its way to a backend: it waits for a connection, holds it, and asks for another one
 * once if that has failed and the request may be sent again.
 */
export abstract class WaitingExchange extends ExchangeRecord implements Waiter<BackendConnection> {
  protected readonly owner: ExchangeOwner;
  #request: RequestInit | undefined;
  #way: Way | undefined;
  #lease: Lease<BackendConnection> | undefined;
  #retried = false;

  constructor(owner: ExchangeOwner, request: TakenRequest) {
    super(request, owner.now());
    this.owner = owner;
  }

  /** What the windows of its client's responses may grow out of. */
  get windows(): WindowBudget {
    return this.owner.windows;
  }

  /** The response was given or the exchange broken off. */
  abstract get over(): boolean;

  /** Answers in place of a backend, as is said of a status. */
  abstract refuse(status: number, reason: string): void;

  /** There is a connection: the request can go out. */
  protected abstract send(request: RequestInit, link: BackendConnection): void;

  /** Waits for a connection, for a request as a backend will have it. */
  protected acquire(request: RequestInit, way: Way): void {
    this.#request = request;
    this.#way = way;
    this.#acquire(way);
  }

  onLease(lease: Lease<BackendConnection>): void {
    if (this.over || this.#request === undefined) return lease.release();
    this.#lease = lease;
    const { link } = lease;
    this.backend = lease.backend;
    this.backendProtocol = link.protocol;
    if (this.isTunnel && !link.takesTunnels) {
      this.backendOutcome = "backend_invalid";
      return this.refuse(STATUS_OF.invalid, "the backend does not take tunnels");
    }
    this.send(this.#request, link);
  }

  onUnavailable({ kind, reason, backend = this.backend }: PoolFailure): void {
    this.backend = backend;
    this.backendOutcome = `backend_${kind}`;
    this.refuse(STATUS_OF[kind], reason);
  }

  onFailedOver({ kind, backend = "" }: PoolFailure): void {
    this.owner.failedOver(this, backend, `backend_${kind}`);
  }

  /** The backend has begun to answer. */
  protected backendAnswers(): void {
    this.#lease?.answered?.();
  }

  /**
   * The backend has failed. Whether another connection is waited for now: once, and if the request
   * `isWhole` and nothing of an answer has come.
   */
  protected repeats(failure: BackendFailure, isWhole: boolean): boolean {
    const isReset = failure.kind === "reset";
    // One that says it did not look at the request ends in good order.
    if (isReset && failure.untouched && !failure.unprocessed) this.#lease?.brokeOff?.();
    this.#release();
    const way = this.#way;
    if (way === undefined || !isWhole || !this.#mayRepeat(failure, way)) return false;
    this.#retried = true;
    if (isReset && this.backend !== undefined) {
      this.owner.failedOver(this, this.backend, "backend_reset");
    }
    this.#acquire(way);
    return true;
  }

  /** Waits no longer, and gives back what it holds. */
  protected leave(): void {
    if (this.#lease === undefined) this.#way?.upstream.cancel(this);
    this.#release();
  }

  #acquire({ upstream, client, affinity }: Way): void {
    upstream.acquire(this, { client, affinity, tunnel: this.isTunnel });
  }

  #mayRepeat(failure: BackendFailure, { upstream }: Way): boolean {
    if (this.#retried || this.isTunnel || !mayRepeat(failure, this.head.method)) return false;
    return upstream.mayRepeat?.(this) ?? true;
  }

  #release(): void {
    const lease = this.#lease;
    this.#lease = undefined;
    lease?.release();
  }
}
