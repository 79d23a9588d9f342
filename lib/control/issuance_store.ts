import {
  type AcmeAccount,
  type AcmeOrder,
  type Database,
  type IssuedCertificate,
  type SharedSecret,
  whenFree,
} from "../db/mod.ts";
import type { ServedState } from "./served_state.ts";
import { type Attempt, ATTEMPTS_WITHIN_MS } from "./issuance_limits.ts";

const ACTOR = "acme";

/**
 * What issuing has to remember, in memory and in the database: written first there, in turn with all
 * other changes, and by the process that writes alone, so that of two processes one orders.
 */
export class IssuanceStore {
  readonly #database: Database;
  readonly #certificates = new Map<string, IssuedCertificate>();
  readonly #orders = new Map<string, AcmeOrder>();
  readonly #shared = new Map<string, SharedSecret>();
  #state: ServedState | undefined;

  constructor(database: Database) {
    this.#database = database;
    this.reload();
  }

  /** Reads everything anew, after another process may have written it. */
  reload(): void {
    this.#certificates.clear();
    this.#orders.clear();
    for (const each of this.#database.issued.list()) this.#certificates.set(each.name, each);
    for (const each of this.#database.issued.orders()) this.#orders.set(each.name, each);
    this.#shared.clear();
    for (const each of this.#database.shared.list()) this.#shared.set(each.name, each);
  }

  /** In whose turns it is written. */
  writeWith(state: ServedState): void {
    this.#state = state;
  }

  certificate(name: string): IssuedCertificate | undefined {
    return this.#certificates.get(name);
  }

  order(name: string): AcmeOrder | undefined {
    return this.#orders.get(name);
  }

  /** Those that are under way, or wait. */
  orders(): readonly AcmeOrder[] {
    return [...this.#orders.values()];
  }

  account(directory: string): AcmeAccount | undefined {
    return this.#database.issued.account(directory);
  }

  attempts(now: number): readonly Attempt[] {
    return this.#database.issued.attempts(now - ATTEMPTS_WITHIN_MS);
  }

  setAccount(directory: string, account: AcmeAccount): Promise<void> {
    return this.#write(() => this.#database.issued.setAccount(directory, account));
  }

  /** Notes that an order is begun. Fails in a process that does not write. */
  async begin(order: AcmeOrder, now: number): Promise<void> {
    await this.#write(() => {
      const { issued } = this.#database;
      issued.addAttempt(order.name, { time: now, since: now - ATTEMPTS_WITHIN_MS });
      issued.setOrder(order);
    });
    this.#orders.set(order.name, order);
  }

  async setOrder(order: AcmeOrder): Promise<void> {
    this.#orders.set(order.name, order);
    await this.#write(() => this.#database.issued.setOrder(order));
  }

  /** Keeps a certificate and forgets its order, with an entry of the audit log. */
  async keep(
    certificate: IssuedCertificate,
    { time, shown }: { readonly time: number; readonly shown: Readonly<Record<string, unknown>> },
  ): Promise<void> {
    const { name } = certificate;
    const action = this.#certificates.has(name) ? "RenewCertificate" : "IssueCertificate";
    await this.#write(() => {
      this.#database.issued.set(certificate);
      this.#database.issued.removeOrder(name);
      this.#audit({ action, name, time, after: JSON.stringify(shown) });
    });
    this.#certificates.set(name, certificate);
    this.#orders.delete(name);
  }

  /** The account has gone over to its next key, with an entry of the audit log. */
  async setRolledKey(
    directory: string,
    account: AcmeAccount,
    { actor, time }: { readonly actor: string; readonly time: number },
  ): Promise<void> {
    await this.#write(() => {
      this.#database.issued.setAccount(directory, account);
      const subject = `account ${directory}`;
      const entry = { actor, action: "RolloverAccountKey", subject, time: Math.trunc(time) };
      this.#database.audit.add({ ...entry, before: "", after: "" });
    });
  }

  async setRenewal(name: string, renewAt: number): Promise<void> {
    const certificate = this.#certificates.get(name);
    if (certificate === undefined || certificate.renewAt === renewAt) return;
    await this.#write(() => this.#database.issued.setRenewal(name, renewAt));
    // The same object to whoever compares what is in use: only when to renew has changed.
    Object.assign(certificate, { renewAt });
  }

  async remove(name: string, { actor, time }: { actor: string; time: number }): Promise<void> {
    await this.#write(() => {
      this.#database.issued.remove(name);
      this.#database.issued.removeOrder(name);
      this.#audit({ action: "RevokeCertificate", name, time, after: "", actor });
    });
    this.#certificates.delete(name);
    this.#orders.delete(name);
  }

  /** What is known of a thing that the group shares. */
  known(name: string): SharedSecret | undefined {
    return this.#shared.get(name);
  }

  /** Of all things that are known to be shared. */
  sharedNames(): Iterable<string> {
    return [...this.#shared.keys()];
  }

  /** Notes what is known of a thing that the group shares. */
  async note(
    name: string,
    { version, digest, content = "" }: {
      readonly version: number;
      readonly digest: string;
      readonly content?: string;
    },
  ): Promise<void> {
    const secret = { name, version, digest, content };
    await this.#write(() => this.#database.shared.set(secret));
    this.#shared.set(name, secret);
  }

  /** Keeps a certificate that another proxy of the group has got, and forgets its order. */
  async takeShared(
    certificate: IssuedCertificate,
    secret: SharedSecret,
    time: number,
  ): Promise<void> {
    const { name } = certificate;
    await this.#write(() => {
      this.#database.issued.set(certificate);
      this.#database.issued.removeOrder(name);
      this.#database.shared.set(secret);
      this.#audit({ action: "TakeCertificate", name, time, after: "" });
    });
    this.#certificates.set(name, certificate);
    this.#orders.delete(name);
    this.#shared.set(secret.name, secret);
  }

  /** Another proxy has had a certificate revoked: it is used no more. */
  async forgetShared(hostname: string | undefined, secret: SharedSecret): Promise<void> {
    await this.#write(() => {
      if (hostname !== undefined) {
        this.#database.issued.remove(hostname);
        this.#database.issued.removeOrder(hostname);
      }
      this.#database.shared.set(secret);
    });
    if (hostname !== undefined) {
      this.#certificates.delete(hostname);
      this.#orders.delete(hostname);
    }
    this.#shared.set(secret.name, secret);
  }

  /** The account is the group's. */
  async takeAccount(
    directory: string,
    account: AcmeAccount,
    secret: SharedSecret,
  ): Promise<void> {
    await this.#write(() => {
      this.#database.issued.setAccount(directory, account);
      this.#database.shared.set(secret);
    });
    this.#shared.set(secret.name, secret);
  }

  #audit(
    { action, name, time, after, actor = ACTOR }: {
      readonly action: string;
      readonly name: string;
      readonly time: number;
      readonly after: string;
      readonly actor?: string;
    },
  ): void {
    const subject = `certificate ${name}`;
    this.#database.audit.add({ actor, action, subject, time: Math.trunc(time), before: "", after });
  }

  async #write(body: () => void): Promise<void> {
    const write = async () => {
      const until = performance.now() + this.#database.busyTimeoutMs;
      await whenFree(() => this.#database.transaction(body), { until });
      await this.#database.reachDisk();
    };
    await (this.#state === undefined ? write() : this.#state.exclusive(write));
  }
}
