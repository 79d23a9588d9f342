import {
  AcmeError,
  backOff,
  checkIssued,
  exportKeyPem,
  fromPem,
  generateKey,
  importKeyPem,
  obtainCertificate,
  type Prover,
  renewalId,
  renewalTime,
} from "../acme/mod.ts";
import type { ReadFile } from "../certificates/mod.ts";
import type { AcmeConfig } from "../config/mod.ts";
import { DatabaseError, type IssuedCertificate } from "../db/mod.ts";
import { describeError, type LogSink } from "../observe/mod.ts";
import { missing, RefusedError } from "../queue/mod.ts";
import { ACME, isRedirect } from "../state/mod.ts";
import { AcmeSession } from "./acme_session.ts";
import { NO_LISTENER_FOR_HTTP01 } from "./challenge_board.ts";
import { allowedAt } from "./issuance_limits.ts";
import type { IssuanceStore } from "./issuance_store.ts";
import type { ServedState } from "./served_state.ts";

const HOUR_MS = 3_600_000;
/** How often names are looked at. */
const LOOK_MS = 5000;
/** Orders at one time. */
const MAX_ORDERS = 16;
/** From order to certificate: validators sleep, and a CA may work on it for minutes. */
const ORDER_TIMEOUT_MS = 10 * 60_000;
/** How often the authority is asked when to renew, unless it says otherwise (RFC 9773 §4.3.2). */
const INFO_MS = 6 * HOUR_MS;
/** After a failure of our own, such as a database that is busy. */
const OWN_FAILURE_MS = 60_000;

/** What an {@link Issuance} works with. */
export interface IssuanceOptions {
  readonly config: AcmeConfig;
  readonly store: IssuanceStore;
  readonly state: ServedState;
  readonly prover: Prover;
  /** Names that want a certificate beside those of routes: the connector's. */
  readonly names: readonly string[];
  /** Makes every worker use what was issued. */
  readonly activate: () => Promise<void>;
  readonly readFile: ReadFile;
  readonly userAgent: string;
  readonly log: LogSink;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Of [0, 1). */
  readonly random?: () => number;
}

/** How the certificate of a name stands. */
export interface IssuedStatus {
  readonly name: string;
  readonly certificate: IssuedCertificate | undefined;
  /** When it is ordered next, in milliseconds since 1970. */
  readonly nextAt: number;
  readonly failures: number;
  readonly lastError: string;
  /** An order is under way. */
  readonly running: boolean;
}

/** What was tried since the start. */
export interface IssuanceCounts {
  readonly attempts: number;
  readonly failures: number;
}

/**
 * Orders and renews the certificates of the routes that want theirs from the authority: names come from
 * routes and nowhere else. One order for a name at a time; what fails waits, across restarts, and
 * leaves in use what there is.
 */
export class Issuance implements AsyncDisposable {
  readonly #options: IssuanceOptions;
  readonly #random: () => number;
  readonly #running = new Map<string, { controller: AbortController; done: Promise<void> }>();
  /** When the authority is asked again when to renew. */
  readonly #infoAt = new Map<string, number>();
  readonly #forced = new Set<string>();
  readonly #session: AcmeSession;
  #timer: ReturnType<typeof setInterval> | undefined;
  #looking: Promise<void> | undefined;
  #closed = false;
  #attempts = 0;
  #failures = 0;

  constructor(options: IssuanceOptions) {
    this.#options = options;
    this.#random = options.random ?? Math.random;
    this.#session = new AcmeSession(options);
  }

  get counts(): IssuanceCounts {
    return { attempts: this.#attempts, failures: this.#failures };
  }

  /** What does not come as it should, one sentence each. */
  get warnings(): readonly string[] {
    const failing = this.status().filter(({ failures }) => failures > 0);
    const { prover, state: { snapshot } } = this.#options;
    const isUnheard = prover.type === "http-01" && !snapshot.listeners.some(isRedirect);
    return [
      ...isUnheard ? [NO_LISTENER_FOR_HTTP01] : [],
      ...failing.map(({ name, failures, lastError }) =>
        `the certificate of ${name} could not be obtained, ${failures} times: ${lastError}`
      ),
    ];
  }

  /** Begins to look after certificates. */
  start(): void {
    this.#timer = setInterval(() => void this.look(), LOOK_MS);
    void this.look();
  }

  /** Reads anew what another process may have got meanwhile. */
  reread(): void {
    this.#options.store.reload();
  }

  /** The names that routes want a certificate for, and how it stands. */
  status(): IssuedStatus[] {
    const { store, config } = this.#options;
    return [...this.#wanted()].sort().map((name) => {
      const certificate = store.certificate(name);
      const order = store.order(name);
      const due = certificate?.directory === config.directory ? certificate.renewAt : 0;
      return {
        name,
        certificate,
        nextAt: Math.max(due, order?.nextAt ?? 0),
        failures: order?.failures ?? 0,
        lastError: order?.lastError ?? "",
        running: this.#running.has(name),
      };
    });
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
    if (!this.#wanted().has(name)) throw missing(`a route with tls_cert = "acme" for ${name}`);
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

  /** Gives up what is under way: a restart goes on with it. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    clearInterval(this.#timer);
    for (const { controller } of this.#running.values()) controller.abort();
    await Promise.allSettled([...this.#running.values()].map(({ done }) => done));
    await this.#session[Symbol.asyncDispose]();
  }

  /** Of routes and the connector, and of nothing else: whoever could make us order names could shut the account out. */
  #wanted(): ReadonlySet<string> {
    const names = new Set<string>(this.#options.names);
    for (const { routes } of this.#options.state.snapshot.listeners) {
      for (const { tlsCert, hostname } of routes) if (tlsCert === ACME) names.add(hostname);
    }
    return names;
  }

  async #look(): Promise<void> {
    const { store, now } = this.#options;
    const wanted = this.#wanted();
    for (const [name, { controller }] of this.#running) {
      if (!wanted.has(name)) controller.abort();
    }
    for (const name of wanted) {
      if (this.#closed || this.#running.size >= MAX_ORDERS) return;
      if (this.#running.has(name)) continue;
      if (!this.#isDue(name)) {
        await this.#askWhenToRenew(name);
        continue;
      }
      if (allowedAt(store.attempts(now()), { name, now: now() }) > now()) continue;
      this.#forced.delete(name);
      this.#begin(name);
    }
  }

  #isDue(name: string): boolean {
    if (this.#forced.has(name)) return true;
    const { store, config, now } = this.#options;
    const certificate = store.certificate(name);
    if ((store.order(name)?.nextAt ?? 0) > now()) return false;
    return certificate === undefined || certificate.directory !== config.directory ||
      certificate.renewAt <= now();
  }

  #begin(name: string): void {
    const controller = new AbortController();
    const done = this.#order(name, controller.signal).finally(() => {
      this.#running.delete(name);
      if (!this.#closed) void this.look(); // Others may have waited for their turn.
    });
    this.#running.set(name, { controller, done });
  }

  /** One order from its beginning to its end; never fails. */
  async #order(name: string, cancelled: AbortSignal): Promise<void> {
    this.#attempts++;
    const signal = AbortSignal.any([cancelled, AbortSignal.timeout(ORDER_TIMEOUT_MS)]);
    try {
      await this.#obtain(name, signal);
    } catch (error) {
      if (cancelled.aborted) return; // A stop, or a route that is gone: nobody failed.
      this.#failures++;
      await this.#fail(name, error);
    }
  }

  async #obtain(name: string, signal: AbortSignal): Promise<void> {
    const { config, store, prover, now } = this.#options;
    const { directory, profile } = config;
    const before = store.order(name);
    const resumes = before !== undefined && before.directory === directory && before.url !== "";
    const key = resumes ? await importKeyPem(before.keyPem) : await generateKey();
    const keyPem = await exportKeyPem(key);
    const order = {
      ...{ name, directory, keyPem, url: resumes ? before.url : "", nextAt: 0 },
      ...{ failures: before?.failures ?? 0, lastError: before?.lastError ?? "" },
    };
    await store.begin(order, now());
    const client = await this.#session.open();
    const old = store.certificate(name);
    const attempt = (resume: string | undefined) =>
      obtainCertificate({
        ...{ client, key, prover, signal, profile, names: [name], resume },
        replaces: old?.directory === directory ? renewalId(old.certPem) : undefined,
        onOrder: (url) => url === order.url ? undefined : store.setOrder({ ...order, url }),
      });
    const certPem = await attempt(resumes ? before.url : undefined).catch((error) => {
      // While two processes share a port, the authority may have met the one that did not show the
      // proof: that an order of before ends is no failure of this attempt.
      if (!resumes || !endsOrder(error)) throw error;
      return attempt(undefined);
    });
    const life = checkIssued({ certPem, keyPem }, { names: [name], nowMs: now() });
    const renewAt = renewalTime(life, { window: undefined, random: this.#random() });
    await this.#activate({ name, directory, certPem, keyPem, issuedAt: now(), renewAt }, life);
  }

  /** Kept first, then in use by every worker, as if a file had changed. */
  async #activate(
    certificate: IssuedCertificate,
    life: { readonly notAfterMs: number; readonly issuer: string },
  ): Promise<void> {
    const { store, activate, now, log } = this.#options;
    const { name, directory } = certificate;
    const expires = new Date(life.notAfterMs).toISOString();
    const shown = { issuer: life.issuer, expires, directory };
    await store.keep(certificate, { time: now(), shown });
    this.#infoAt.delete(name);
    await activate();
    const fields = { hostname: name, issuer: life.issuer, expires };
    log({ level: "info", message: "certificate issued", fields });
  }

  async #fail(name: string, error: unknown): Promise<void> {
    const { store, config: { directory }, now, log } = this.#options;
    const lastError = describeError(error);
    const before = store.order(name);
    const isOurs = error instanceof DatabaseError;
    const failures = (before?.failures ?? 0) + (isOurs ? 0 : 1);
    const { retryAfterMs = 0, type, code } = error instanceof AcmeError ? error : {};
    const wait = isOurs
      ? OWN_FAILURE_MS
      : backOff(failures, { random: this.#random(), retryAfterMs });
    // The account or its key is unknown to the authority: the next attempt makes another one.
    if (type === "accountDoesNotExist") await this.#session.forgetAccount();
    // What could not be reached goes on where it stood; everything else begins anew.
    const resumes = code === "network" || code === "timeout" || type === "rateLimited";
    const order = {
      ...{ name, directory, failures, lastError, nextAt: now() + wait },
      url: resumes ? before?.url ?? "" : "",
      keyPem: resumes ? before?.keyPem ?? "" : "",
    };
    const next = new Date(order.nextAt).toISOString();
    const fields = { hostname: name, error: lastError, failures, next };
    log({ level: "warn", message: "certificate could not be obtained", fields });
    await store.setOrder(order).catch(() => {}); // In memory it counts all the same.
  }

  /** Asks the authority, now and then, when it wants a certificate renewed. */
  async #askWhenToRenew(name: string): Promise<void> {
    const { store, config, now, log } = this.#options;
    const certificate = store.certificate(name);
    if (certificate?.directory !== config.directory) return;
    if ((this.#infoAt.get(name) ?? 0) > now()) return;
    this.#infoAt.set(name, now() + INFO_MS);
    const id = renewalId(certificate.certPem);
    if (id === undefined) return;
    try {
      const client = await this.#session.open();
      const window = await client.renewalInfo(id, { signal: AbortSignal.timeout(OWN_FAILURE_MS) });
      if (window === undefined) return;
      const { retryAfterMs = INFO_MS } = window;
      this.#infoAt.set(name, now() + Math.max(retryAfterMs, OWN_FAILURE_MS));
      // Where it is already inside of the window, it stays: else each look would choose anew.
      const { renewAt } = certificate;
      if (renewAt >= window.startMs && renewAt <= window.endMs) return;
      const { certPem, keyPem } = certificate;
      const life = checkIssued({ certPem, keyPem }, { names: [name], nowMs: now() });
      await store.setRenewal(name, renewalTime(life, { window, random: this.#random() }));
    } catch (error) {
      // Without it, a third of the lifetime is left for the renewal.
      const fields = { hostname: name, error: describeError(error) };
      log({ level: "debug", message: "the authority does not say when to renew", fields });
    }
  }
}

/** Whether an authority has ended an order, and would take another one. */
function endsOrder(error: unknown): boolean {
  return error instanceof AcmeError && error.type !== "rateLimited" &&
    (error.code === "refused" || error.code === "failed");
}
