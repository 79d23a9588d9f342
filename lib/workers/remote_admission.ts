import type { Admission, Decision, SessionEnd, SessionRequest } from "../connector/mod.ts";
import type { FromWorker, SessionMessage } from "../plane/mod.ts";

/**
 * The deadline of `Admission` itself is 2 s; only a control plane that stands still is later than this,
 * and nobody gets in because of it.
 */
const DECISION_TIMEOUT_MS = 5000;

/** One session of this worker. */
interface Session {
  readonly end: (why: SessionEnd) => void;
  /** Harmless when it is late. */
  readonly decide: (decision: Decision) => void;
}

/** Asks the control plane, in messages: a worker has no database. */
export class RemoteAdmission implements Admission {
  readonly #send: (message: FromWorker) => void;
  readonly #timeoutMs: number;
  readonly #sessions = new Map<string, Session>();

  constructor(send: (message: FromWorker) => void, timeoutMs: number = DECISION_TIMEOUT_MS) {
    this.#send = send;
    this.#timeoutMs = timeoutMs;
  }

  async admit(request: SessionRequest, end: (why: SessionEnd) => void): Promise<Decision> {
    const { promise, resolve } = Promise.withResolvers<Decision>();
    this.#sessions.set(request.id, { end, decide: resolve });
    const timer = setTimeout(
      () => resolve({ allowed: false, cause: "unavailable" }),
      this.#timeoutMs,
    );
    this.#send({ type: "admit", request });
    const decision = await promise;
    clearTimeout(timer);
    return decision;
  }

  leave(id: string): void {
    if (this.#sessions.delete(id)) this.#send({ type: "leave", session: id });
  }

  /** Takes a message of the control plane; one about a session that has left is dropped. */
  receive(message: SessionMessage): void {
    const session = this.#sessions.get(message.session);
    if (message.type === "decision") session?.decide(message.decision);
    else session?.end(message.end);
  }
}
