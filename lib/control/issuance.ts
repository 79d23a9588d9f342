import { AcmeError, fromPem } from "../acme/mod.ts";
import type { AcmeOrder } from "../db/mod.ts";
import { describeError } from "../observe/mod.ts";
import { missing, RefusedError } from "../queue/mod.ts";
import { isRedirect } from "../state/mod.ts";
import { AcmeSession } from "./acme_session.ts";
import { NO_LISTENER_FOR_HTTP01 } from "./challenge_board.ts";
import { allowedAt } from "./issuance_limits.ts";
import type { IssuanceCounts, IssuanceOptions } from "./issuance_options.ts";
import { type IssuedStatus, issuedStatus } from "./issued_status.ts";
import { noteFailure, obtainForName, type OrderContext } from "./name_order.ts";
import type { OrderTurn } from "./order_turns.ts";
import { RenewalWatch } from "./renewal_watch.ts";

/** How often names are looked at. */
const LOOK_MS = 5000;
/** Orders at one time. */
const MAX_ORDERS = 16;
/** From order to certificate: validators sleep, and a CA may work on it for minutes. */
const ORDER_TIMEOUT_MS = 10 * 60_000;

/**
 * Orders and renews the certificates of the routes that want theirs from the authority: names come from
 * routes and nowhere else. One order for a name at a time; what fails waits, across restarts, and
 * leaves in use what there is.
 */
export class Issuance implements AsyncDisposable {
  readonly #options: IssuanceOptions;
  readonly #context: OrderContext;
  readonly #renewals: RenewalWatch;
  readonly #running = new Map<string, { controller: AbortController; done: Promise<void> }>();
  readonly #forced = new Set<string>();
  /** Until when it is others' turn, by name. */
  readonly #waiting = new Map<string, number>();
  #waking: ReturnType<typeof setTimeout> | undefined;
  readonly #session: AcmeSession;
  #timer: ReturnType<typeof setInterval> | undefined;
  #forgetting: ReturnType<typeof setTimeout> | undefined;
  #isRolling = false;
  #looking: Promise<void> | undefined;
  #closed = false;
  #attempts = 0;
  #failures = 0;

  constructor(options: IssuanceOptions) {
    this.#options = options;
    const session = this.#session = new AcmeSession(options);
    const random = options.random ?? Math.random;
    this.#context = { ...options, session, random };
    this.#renewals = new RenewalWatch(this.#context);
  }

  get counts(): IssuanceCounts {
    return { attempts: this.#attempts, failures: this.#failures };
  }

  /** What does not come as it should, one sentence each. */
  get warnings(): readonly string[] {
    const failing = this.status().filter(({ failures }) => failures > 0);
    const { prover, state: { snapshot }, turns } = this.#options;
    const isUnheard = prover.type === "http-01" && !snapshot.listeners.some(isRedirect);
    return [
      ...isUnheard ? [NO_LISTENER_FOR_HTTP01] : [],
      ...turns.problem === undefined ? [] : [`no certificate can be ordered: ${turns.problem}`],
      ...failing.map(({ name, failures, lastError }) =>
        `the certificate of ${name} could not be obtained, ${failures} times: ${lastError}`
      ),
    ];
  }

  /** Begins to look after certificates. */
  start(): void {
    this.#timer = setInterval(() => void this.look(), LOOK_MS);
    this.#forgetting = setTimeout(() => void this.#forgetKept(), ORDER_TIMEOUT_MS);
    void this.look();
  }

  /** Shows no more what nobody has gone on with. */
  async #forgetKept(): Promise<void> {
    const { store, prover } = this.#options;
    for (const { name, proof } of store.orders()) {
      if (proof !== undefined && !this.#running.has(name)) await prover.forget(name, proof);
    }
  }

  /** The group has another account. */
  accountHasChanged(): void {
    this.#session.retire();
  }

  /** Others may have had their turn. */
  turnsHaveChanged(): void {
    if (this.#waiting.size === 0) return;
    this.#waiting.clear();
    void this.look();
  }

  /** Reads anew what another process may have got meanwhile. */
  reread(): void {
    this.#options.store.reload();
  }

  /** The names that routes want a certificate for, and how it stands. */
  status(): IssuedStatus[] {
    const { store, config } = this.#options;
    return [...this.#options.wanted()].sort().map((name) => ({
      ...issuedStatus(name, store, config),
      running: this.#running.has(name),
    }));
  }

  /** Begins the orders that are due; resolves when they have begun. Never fails. */
  look(): Promise<void> {
    this.#looking ??= this.#look().catch((error) => {
      const fields = { error: describeError(error) };
      const message = "certificates could not be ordered";
      this.#options.log({ level: "error", message, fields });
    }).finally(() => this.#looking = undefined);
    return this.#looking;
  }

  /**
   * Orders the certificate of a name now, whatever it waits for.
   *
   * @throws {RefusedError} if no route wants one, or the authority's limits would be met.
   */
  async renew(name: string): Promise<void> {
    const { store, now } = this.#options;
    if (!this.#options.wanted().has(name)) {
      throw missing(`a route with tls_cert = "acme" for ${name}`);
    }
    if (this.#running.has(name)) return;
    const at = allowedAt(store.attempts(now()), { name, now: now() });
    if (at > now()) {
      const when = new Date(at).toISOString();
      const message = `${name} was tried too often for the authority's limits; again at ${when}`;
      throw new RefusedError("failed_precondition", message);
    }
    this.#forced.add(name);
    await this.look();
  }

  /**
   * Revokes the certificate of a name at the authority and forgets it; another one is ordered, unless no
   * route wants it any more.
   *
   * @throws {RefusedError}
   */
  async revoke(name: string, actor: string): Promise<void> {
    const { store, now, log, config } = this.#options;
    const certificate = store.certificate(name);
    if (certificate === undefined) throw missing(`a certificate of an authority for ${name}`);
    if (certificate.directory !== config.directory) {
      const message = `it was issued by ${certificate.directory}, which is configured no more`;
      throw new RefusedError("failed_precondition", message);
    }
    try {
      const client = await this.#session.open();
      await client.revoke(fromPem("CERTIFICATE", certificate.certPem));
    } catch (error) {
      if (!(error instanceof AcmeError)) throw error;
      if (error.type !== "alreadyRevoked") {
        throw new RefusedError("failed_precondition", error.message, { cause: error });
      }
    }
    await store.remove(name, { actor, time: now() });
    log({ level: "warn", message: "certificate revoked", fields: { hostname: name } });
    await this.look();
  }

  /**
   * Gives the account at the authority another key; gives the account's URL.
   *
   * @throws {RefusedError} while orders are under way, which the old key has signed.
   */
  async rollKey(actor: string): Promise<string> {
    const names = [...this.#running.keys()];
    if (names.length > 0 || this.#isRolling) {
      const what = names.length > 0 ? `orders are under way (${names[0]}, …)` : "it is under way";
      throw new RefusedError("failed_precondition", `${what}: try again in a minute`);
    }
    this.#isRolling = true;
    try {
      const account = await this.#session.rollKey(actor);
      const fields = { account };
      this.#options.log({ level: "warn", message: "the account has another key", fields });
      return account;
    } catch (error) {
      if (!(error instanceof AcmeError)) throw error;
      throw new RefusedError("failed_precondition", error.message, { cause: error });
    } finally {
      this.#isRolling = false;
    }
  }

  /** Gives up what is under way: a restart goes on with it. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    clearInterval(this.#timer);
    clearTimeout(this.#forgetting);
    clearTimeout(this.#waking);
    for (const { controller } of this.#running.values()) controller.abort();
    await Promise.allSettled([...this.#running.values()].map(({ done }) => done));
    this.#options.prover.close?.();
    await this.#session[Symbol.asyncDispose]();
  }

  async #look(): Promise<void> {
    const { store, now } = this.#options;
    const wanted = this.#options.wanted();
    for (const [name, { controller }] of this.#running) {
      if (!wanted.has(name)) controller.abort();
    }
    // Of two processes of a proxy one orders.
    if ((this.#options.state.database.role?.look() ?? "ours") !== "ours") return;
    for (const name of wanted) {
      if (this.#closed || this.#isRolling || this.#running.size >= MAX_ORDERS) return;
      if (this.#running.has(name)) continue;
      if ((this.#waiting.get(name) ?? 0) > performance.now()) continue;
      const isForced = this.#forced.has(name);
      if (!isForced && !this.#isDue(name)) {
        await this.#renewals.look(name);
        continue;
      }
      if (allowedAt(store.attempts(now()), { name, now: now() }) > now()) continue;
      this.#forced.delete(name);
      this.#begin(name, isForced);
    }
  }

  #isDue(name: string): boolean {
    const { store, config, now } = this.#options;
    const certificate = store.certificate(name);
    if ((store.order(name)?.nextAt ?? 0) > now()) return false;
    return certificate === undefined || certificate.directory !== config.directory ||
      certificate.renewAt <= now();
  }

  #begin(name: string, isForced: boolean): void {
    const controller = new AbortController();
    const done = this.#inTurn(name, { isForced, cancelled: controller.signal }).finally(() => {
      this.#running.delete(name);
      if (!this.#closed) void this.look(); // Others may have waited for their turn.
    });
    this.#running.set(name, { controller, done });
  }

  /** Orders if it is this proxy's turn; never fails. */
  async #inTurn(
    name: string,
    { isForced, cancelled }: { readonly isForced: boolean; readonly cancelled: AbortSignal },
  ): Promise<void> {
    const answer = await this.#options.turns.take(name, () => this.#session.open());
    if (answer.status === "wait") return this.#wait(name, answer.waitMs);
    const { turn } = answer;
    // While others had theirs, the certificate may have come.
    const order = isForced || this.#isDue(name)
      ? await this.#order(name, { turn, cancelled })
      : undefined;
    const { store, now } = this.#options;
    // What has failed here alone keeps nobody else waiting.
    const waitMs = (order?.failures ?? 0) === 0 ? 0 : Math.max(0, (order?.nextAt ?? 0) - now());
    await turn.end({ waitMs, order: order ?? store.order(name) });
  }

  /** Looks again when others have had their turn. */
  #wait(name: string, ms: number): void {
    this.#waiting.set(name, performance.now() + ms);
    if (this.#closed || ms > LOOK_MS) return;
    clearTimeout(this.#waking);
    this.#waking = setTimeout(() => void this.look(), ms);
  }

  /** One order from its beginning to its end; gives what is left of one that failed. Never fails. */
  async #order(
    name: string,
    { turn, cancelled }: { readonly turn: OrderTurn; readonly cancelled: AbortSignal },
  ): Promise<AcmeOrder | undefined> {
    this.#attempts++;
    const kept = this.#options.store.order(name)?.proof;
    const timeout = AbortSignal.timeout(ORDER_TIMEOUT_MS);
    const signal = AbortSignal.any([cancelled, turn.signal, timeout]);
    try {
      await obtainForName(name, { signal, turn }, this.#context);
      this.#renewals.forget(name);
    } catch (error) {
      // A stop, a route that is gone, another's turn: nobody failed.
      if (cancelled.aborted || turn.signal.aborted) return;
      this.#failures++;
      return await noteFailure(name, error, this.#context);
    } finally {
      // What a process before has left, and this one did not need to show again.
      if (!this.#closed) await this.#options.prover.forget(name, kept);
    }
  }
}
