import { checkIssued, renewalId, renewalTime } from "../acme/mod.ts";
import type { AcmeConfig } from "../config/mod.ts";
import { describeError, type LogSink } from "../observe/mod.ts";
import type { AcmeSession } from "./acme_session.ts";
import type { IssuanceStore } from "./issuance_store.ts";

/** How often the authority is asked when to renew, unless it says otherwise (RFC 9773 §4.3.2). */
const INFO_MS = 6 * 3_600_000;
/** The least time between two questions, and the most that one may take. */
const LEAST_MS = 60_000;

/** What a {@link RenewalWatch} works with. */
export interface RenewalWatchOptions {
  readonly config: AcmeConfig;
  readonly store: IssuanceStore;
  readonly session: AcmeSession;
  readonly log: LogSink;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Of [0, 1). */
  readonly random: () => number;
}

/** Asks the authority, now and then, when it wants certificates renewed (RFC 9773). */
export class RenewalWatch {
  readonly #options: RenewalWatchOptions;
  /** When the authority is asked again, by name. */
  readonly #askAt = new Map<string, number>();

  constructor(options: RenewalWatchOptions) {
    this.#options = options;
  }

  /** A name has another certificate. */
  forget(name: string): void {
    this.#askAt.delete(name);
  }

  /** Asks if it is time to, and moves the renewal where the authority wants it. Never fails. */
  async look(name: string): Promise<void> {
    const { store, config, session, now, random, log } = this.#options;
    const certificate = store.certificate(name);
    if (certificate?.directory !== config.directory) return;
    if ((this.#askAt.get(name) ?? 0) > now()) return;
    this.#askAt.set(name, now() + INFO_MS);
    const id = renewalId(certificate.certPem);
    if (id === undefined) return;
    try {
      const client = await session.open();
      const window = await client.renewalInfo(id, { signal: AbortSignal.timeout(LEAST_MS) });
      if (window === undefined) return;
      const { retryAfterMs = INFO_MS } = window;
      this.#askAt.set(name, now() + Math.max(retryAfterMs, LEAST_MS));
      // Where it is already inside of the window, it stays: else each look would choose anew.
      const { renewAt } = certificate;
      if (renewAt >= window.startMs && renewAt <= window.endMs) return;
      const { certPem, keyPem } = certificate;
      const life = checkIssued({ certPem, keyPem }, { names: [name], nowMs: now() });
      await store.setRenewal(name, renewalTime(life, { window, random: random() }));
    } catch (error) {
      // Without it, a third of the lifetime is left for the renewal.
      const fields = { hostname: name, error: describeError(error) };
      log({ level: "debug", message: "the authority does not say when to renew", fields });
    }
  }
}
