import type { H1CloseCause, H1Limits, H1ServerHandler, H1ServerStream } from "../h1/mod.ts";
import { type OutputPool, type RequestHead } from "../h2/mod.ts";
import { H1ServerIo, type Turns } from "../http_io/mod.ts";
import { GuardedH1Server, type Page, type Pages } from "../l7/mod.ts";
import type { OutcomeName } from "../observe/mod.ts";
import type { StreamError, TcpStream } from "../tcp/mod.ts";
import type { Decision } from "./decide.ts";

/**
 * How long a client may go on with what it was told, in seconds. A 308 without it is kept by browsers
 * for ever: a name that leaves `https` would never be found again.
 */
const FRESH_SECONDS = 3600;

const ENCODER = new TextEncoder();

/** How a connection ended. */
export interface RedirectEnding {
  readonly outcome: OutcomeName;
  readonly reason?: string;
}

/** A connection, and what is to be done with its request. */
export interface Visit {
  /** What was read of it already. */
  readonly first: Uint8Array;
  /** Not one octet is said but a proof; without a request in time it is reset. */
  readonly onlyProofs: boolean;
  readonly decide: (head: RequestHead) => Decision;
}

/** What a session is given of its thread. */
export interface SessionMeans {
  readonly limits: H1Limits;
  readonly pool: OutputPool;
  readonly turns: Turns;
  readonly now: () => number;
  /** Milliseconds since 1970. */
  readonly wallNow: () => number;
  /** What is said of errors. */
  readonly pages: Pages;
}

/**
 * One connection: one request, one answer, the end. Whoever is sent to `https` has nothing more to ask
 * here, and what is never read cannot be read in two ways: content and requests that were sent ahead
 * are dropped.
 */
export class RedirectSession implements H1ServerHandler {
  /** Nothing is relayed. */
  readonly bytesIn = 0;
  readonly bytesOut = 0;
  readonly ended: Promise<RedirectEnding>;
  readonly #end: (ending: RedirectEnding) => void;
  readonly #tcp: TcpStream;
  readonly #visit: Visit;
  readonly #wallNow: () => number;
  readonly #pages: Pages;
  readonly #session: GuardedH1Server;
  readonly #io: H1ServerIo;
  #ending: RedirectEnding | undefined;

  constructor(tcp: TcpStream, visit: Visit, means: SessionMeans) {
    const { limits, pool, turns, now } = means;
    const { promise, resolve } = Promise.withResolvers<RedirectEnding>();
    this.ended = promise;
    this.#end = resolve;
    this.#tcp = tcp;
    this.#visit = visit;
    this.#wallNow = means.wallNow;
    this.#pages = means.pages;
    const onCrash = (error: unknown) => this.fail(error);
    this.#session = new GuardedH1Server({
      ...{ limits, pool, now: now(), handler: this, onCrash },
      ignoresUpgrades: true,
    });
    const onGone = (error?: StreamError) => this.#gone(error);
    this.#io = new H1ServerIo(tcp, this.#session, { now, turns, onGone });
    if (visit.first.length > 0) this.#io.onData(visit.first);
    if (tcp.readError !== undefined) this.#io.onReadError(tcp.readError);
    else if (tcp.readEnded) this.#io.onEnd();
  }

  /** Ends the connection at once. */
  cut(): void {
    this.#reset({ outcome: "client_reset" });
  }

  /** Waits for no request any more. */
  shutdown(): void {
    this.#session.shutdown();
  }

  tick(now: number, idleMs: number): void {
    this.#session.tick(now);
    this.#io.tick(now, idleMs);
  }

  /** Something was thrown that must not be. */
  fail(error: unknown): void {
    this.#reset({ outcome: "internal_error", reason: String(error) });
  }

  onRequest(stream: H1ServerStream, head: RequestHead): void {
    this.#session.shutdown();
    const decision = this.#visit.decide(head);
    switch (decision.kind) {
      case "redirect":
        this.#ending = { outcome: "redirected" };
        this.#answer(stream, 308, ["location", decision.location, ...FRESH]);
        break;
      case "proof":
        this.#ending = { outcome: "acme_proved" };
        this.#answer(stream, 200, ["cache-control", "no-store"], {
          page: proofPage(decision.keyAuthorization),
          isHead: head.method === "HEAD",
        });
        break;
      case "refuse":
        this.#ending = { outcome: "request_refused", reason: decision.reason };
        this.#answer(stream, decision.status, ["cache-control", "no-store"], {
          page: this.pageFor(decision.status),
          isHead: head.method === "HEAD",
        });
        break;
      case "reset":
        this.#reset({ outcome: "no_route", reason: decision.reason });
    }
  }

  pageFor(status: number): Page | undefined {
    return this.#pages.get(status);
  }

  onRefusal({ status, reason }: { readonly status: number; readonly reason: string }): void {
    const outcome = status === 408 ? "request_timeout" : "request_refused";
    this.#ending ??= { outcome, reason };
    if (this.#visit.onlyProofs) this.#reset(this.#ending);
  }

  onClose({ by, reason, abrupt }: H1CloseCause): void {
    this.#ending ??= by === "deadline"
      ? { outcome: "request_timeout", reason: "no request came in time" }
      : by === "owner"
      ? { outcome: "shutdown" }
      : { outcome: "client_gone", reason };
    if (abrupt || this.#visit.onlyProofs && this.#ending.outcome !== "acme_proved") {
      return this.#reset(this.#ending);
    }
    this.#io.close();
  }

  onOutput(): void {
    this.#io.schedule();
  }

  /** Content is nobody's: its request was answered before it came. */
  onData(): void {}
  onTrailers(): void {}
  onReset(): void {}
  onDrain(): void {}
  onInvalid(): void {}

  #answer(
    stream: H1ServerStream,
    status: number,
    fields: readonly string[],
    { page, isHead = false }: { readonly page?: Page | undefined; readonly isHead?: boolean } = {},
  ): void {
    const { body, contentType } = page ?? NO_PAGE;
    const date = new Date(this.#wallNow()).toUTCString();
    const about = contentType === "" ? [] : ["content-type", contentType];
    const all = [...about, ...fields, "content-length", String(body.length), "date", date];
    const isWhole = isHead || body.length === 0;
    stream.respond({ status, fields: all }, isWhole);
    if (!isWhole) stream.sendData(body, true);
    // Whatever of the request has yet to come is not waited for.
    stream.reset();
  }

  #gone(error: StreamError | undefined): void {
    const isReset = error?.code === "ECONNRESET";
    const left: RedirectEnding = {
      outcome: "client_gone",
      reason: isReset
        ? "the client reset the connection"
        : "closed before the request was complete",
    };
    this.#end(this.#ending ?? left);
  }

  #reset(ending: RedirectEnding): void {
    this.#tcp.reset();
    this.#session.abort("reset");
    this.#end(ending);
  }
}

const FRESH = ["cache-control", `max-age=${FRESH_SECONDS}`] as const;
const NO_PAGE: Page = { contentType: "", body: new Uint8Array(0) };

/** RFC 8555 §8.3. */
function proofPage(keyAuthorization: string): Page {
  return { contentType: "application/octet-stream", body: ENCODER.encode(keyAuthorization) };
}
