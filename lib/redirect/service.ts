import { type H1Limits } from "../h1/mod.ts";
import { OutputPool } from "../h2/mod.ts";
import { Turns } from "../http_io/mod.ts";
import type { Pages } from "../l7/mod.ts";
import type { Clock } from "../relay/mod.ts";
import type { TcpStream } from "../tcp/mod.ts";
import { RedirectSession, type Visit } from "./session.ts";

/** How often deadlines are looked at. */
const TICK_MS = 1000;
/** For the request of a client that is refused already, as for a ClientHello. */
const REFUSED_HEAD_MS = 5000;

/** What the service works with. */
export interface RedirectServiceOptions {
  readonly clock: Clock;
  /** Bounds of requests; new connections see new ones. */
  readonly limits: () => H1Limits;
  /** How long a client may not take an answer. */
  readonly idleTimeoutMs: () => number;
  /** What is said of errors, whatever the name. */
  readonly pages: () => Pages;
}

/** Plain HTTP of one thread. */
export class RedirectService {
  readonly #options: RedirectServiceOptions;
  readonly #sessions = new Set<RedirectSession>();
  readonly #pool = new OutputPool();
  readonly #turns = new Turns();
  #stopTicking: (() => void) | undefined;

  constructor(options: RedirectServiceOptions) {
    this.#options = options;
  }

  /** Serves a connection, from its first octet of HTTP on. */
  serve(stream: TcpStream, visit: Visit): RedirectSession {
    const { clock, limits, pages } = this.#options;
    const session = new RedirectSession(stream, visit, {
      limits: visit.onlyProofs ? hurried(limits()) : limits(),
      pool: this.#pool,
      turns: this.#turns,
      now: () => clock.now(),
      wallNow: () => clock.wallNow(),
      pages: pages(),
    });
    this.#sessions.add(session);
    this.#stopTicking ??= clock.every(TICK_MS, () => this.#tick());
    session.ended.then(() => this.#forget(session)).catch(() => {});
    return session;
  }

  #tick(): void {
    const now = this.#options.clock.now();
    for (const session of this.#sessions) {
      try {
        session.tick(now, this.#options.idleTimeoutMs());
      } catch (error) {
        session.fail(error);
      }
    }
  }

  #forget(session: RedirectSession): void {
    this.#sessions.delete(session);
    if (this.#sessions.size > 0) return;
    this.#stopTicking?.();
    this.#stopTicking = undefined;
  }
}

function hurried(limits: H1Limits): H1Limits {
  return { ...limits, headerTimeoutMs: Math.min(limits.headerTimeoutMs, REFUSED_HEAD_MS) };
}
