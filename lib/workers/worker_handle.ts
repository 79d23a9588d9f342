import type { SessionRequest } from "../connector/mod.ts";
import { COUNTERS_BYTES, describeError } from "../observe/mod.ts";
import type {
  Change,
  FromWorker,
  Reply,
  Request,
  SessionMessage,
  Snapshot,
  StartMessage,
  TakenCounts,
} from "../plane/mod.ts";
import { MessageError } from "./checks.ts";
import { ENTRY_URL } from "./entry_url.ts";
import { InFlight } from "./in_flight.ts";
import { checkMessage } from "./incoming.ts";
import { MessageAllowance } from "./message_allowance.ts";
import type { PlaneSinks } from "./inline.ts";
import { sliceChanges } from "./slices.ts";
import { VITAL_SIGNS_BYTES, VitalSigns } from "./vital_signs.ts";
import { WorkerError } from "./worker_error.ts";

/** What {@link WorkerHandle} is given. */
export interface WorkerHandleOptions extends PlaneSinks {
  /** The module to start from; default: {@link ENTRY_URL}. */
  readonly entry?: URL;
  readonly index: number;
  readonly idPrefix: string;
  /** Survives the worker: its successor counts on. */
  readonly counters: SharedArrayBuffer;
  /** The `DescriptorBudget` of all workers. */
  readonly descriptors: SharedArrayBuffer;
  /** Takes the counts of an l7 route that this worker has not served before. */
  readonly onRequestBlock: (route: string, block: SharedArrayBuffer) => void;
  /** Called once when the worker has died on its own, or was ended for what it said. */
  readonly onDeath: (reason: string) => void;
  /** Milliseconds from any point, by which messages are counted. Default: `performance.now`. */
  readonly now?: () => number;
}

/** The sessions that one worker may have or ask for. More is not a worker of ours. */
const MAX_SESSIONS = 1_000_000;

/** A request that is not answered yet. */
interface Pending {
  readonly type: Request["type"] | "start";
  readonly settle: (reply: Reply | WorkerError) => void;
}

/** The permissions of a data-plane worker: the network as far as we have it, nothing else. */
const PERMISSIONS = {
  net: "inherit",
  read: false,
  write: false,
  run: false,
  env: false,
  sys: false,
  ffi: false,
  import: false,
} as const;

/** One incarnation of a worker: requests with answers, events and logs, and its end. */
export class WorkerHandle {
  readonly #worker: Worker;
  readonly #options: WorkerHandleOptions;
  readonly #inFlight = new SharedArrayBuffer(
    InFlight.cells * Int32Array.BYTES_PER_ELEMENT,
  );
  readonly #vitalSigns = new SharedArrayBuffer(VITAL_SIGNS_BYTES);
  /** Whether its event loop turns. */
  readonly signs: VitalSigns = new VitalSigns(this.#vitalSigns);
  /** Sessions of mtls routes, and questions about them: `Admission` is told when we end. */
  readonly #sessions = new Set<string>();
  readonly #pending = new Map<number, Pending>();
  readonly #failed = Promise.withResolvers<void>();
  /** The last changes are applied, or failed: the next come after them, whatever slices they take. */
  #applied: Promise<void> = Promise.resolve();
  #nextId = 1;
  readonly #allowance: MessageAllowance;
  #dead = false;

  constructor(options: WorkerHandleOptions) {
    this.#options = options;
    this.#allowance = new MessageAllowance(options.now);
    this.#worker = new Worker(options.entry ?? ENTRY_URL, {
      type: "module",
      name: `data-plane-${options.index}`,
      deno: { permissions: PERMISSIONS },
    });
    this.#worker.onmessage = ({ data }: MessageEvent<unknown>) => this.#receive(data);
    this.#worker.onerror = (event) => {
      event.preventDefault(); // Or the error would end the whole process.
      this.#failed.resolve();
      if (this.#dead) return;
      this.terminate(event.message);
      options.onDeath(event.message);
    };
  }

  /**
   * Hands over the snapshot; resolves when the listeners are bound. However long that takes on a
   * starved machine: whoever watches {@link signs} knows better than a clock.
   */
  start(snapshot: Snapshot): Promise<Reply> {
    const { index, idPrefix, counters, descriptors, inherited, sockets = "handles" } =
      this.#options;
    return this.#send({
      type: "start",
      index,
      idPrefix,
      snapshot,
      inherited: inherited?.duplicate() ?? [],
      sockets,
      counters,
      descriptors,
      batchesInFlight: this.#inFlight,
      vitalSigns: this.#vitalSigns,
    });
  }

  /**
   * Sends changes; settles when the worker has applied or refused them, however late that is.
   *
   * @throws {WorkerError} `refused` when the worker answered with an error, or `died`.
   */
  apply(changes: readonly Change[]): Promise<void> {
    const applied = this.#applied.then(() => this.#applySlices(changes));
    this.#applied = applied.catch(() => {}); // For whoever asked for it.
    return applied;
  }

  async #applySlices(changes: readonly Change[]): Promise<void> {
    for (const slice of sliceChanges(changes)) await this.#send({ type: "apply", changes: slice });
  }

  /**
   * What happened since this was asked the last time, however late: nothing of it is told twice.
   *
   * @throws {WorkerError} `died`.
   */
  async takeCounts(): Promise<TakenCounts> {
    return (await this.#send({ type: "take_counts" })).value as TakenCounts;
  }

  /**
   * Sends a request and waits for the answer.
   *
   * @throws {WorkerError} `refused` when the worker answered with an error, `timeout`, or `died`.
   */
  request(request: Request, timeoutMs: number): Promise<Reply> {
    return this.#send(request, timeoutMs);
  }

  /** Ends the worker at once; requests in flight fail with `died`. */
  terminate(reason: string): void {
    if (this.#dead) return;
    this.#disown(reason);
    this.#worker.terminate();
  }

  /**
   * Ends the worker as {@link terminate} does; resolves when that has an effect. Nothing ends a
   * thread in an endless loop (Deno 2.9.6), which goes on holding its share of the port, so this
   * waits until the thread turns to its messages, for ever if need be: {@link signs} tell.
   */
  async end(reason: string): Promise<void> {
    if (this.#dead) return; // On its own, with an error.
    this.#disown(reason);
    const id = this.#nextId++;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#pending.set(id, { type: "ping", settle: () => resolve() });
    this.#failed.promise.then(resolve);
    this.#worker.postMessage({ type: "ping", id });
    await promise;
    this.#worker.terminate();
  }

  /** From here on the worker counts for nothing, whatever its thread still does. */
  #disown(reason: string): void {
    this.#dead = true;
    for (const session of this.#sessions) this.#options.admission?.leave(session);
    this.#sessions.clear();
    for (const { settle } of [...this.#pending.values()]) {
      settle(new WorkerError("died", `worker ${this.#options.index}: ${reason}`));
    }
  }

  async #send(body: Request | StartMessage, timeoutMs?: number): Promise<Reply> {
    if (this.#dead) throw new WorkerError("died", `worker ${this.#options.index} is gone`);
    const id = this.#nextId++;
    const { promise, resolve } = Promise.withResolvers<Reply | WorkerError>();
    this.#pending.set(id, { type: body.type, settle: resolve });
    const timer = timeoutMs === undefined ? undefined : setTimeout(
      () => resolve(new WorkerError("timeout", `worker ${this.#options.index} did not answer`)),
      timeoutMs,
    );
    this.#worker.postMessage({ ...body, id });
    const reply = await promise;
    clearTimeout(timer);
    this.#pending.delete(id);
    if (reply instanceof WorkerError) throw reply;
    if (reply.error !== undefined) throw new WorkerError("refused", reply.error);
    return reply;
  }

  /** A session belongs to the worker whose connection it is; its id says which, and is used once. */
  #checkSession(id: string): void {
    if (!id.startsWith(`${this.#options.idPrefix}-`)) {
      throw new MessageError("a session of somebody else");
    }
    if (this.#sessions.has(id)) throw new MessageError("a session that exists");
    if (this.#sessions.size >= MAX_SESSIONS) throw new MessageError("too many sessions");
  }

  async #admit(request: SessionRequest): Promise<void> {
    const { admission } = this.#options;
    const { id: session } = request;
    this.#sessions.add(session);
    const decision = await admission?.admit(request, (end) => {
      this.#tell({ type: "end_session", session, end });
    });
    const unavailable = { allowed: false, cause: "unavailable" } as const;
    this.#tell({ type: "decision", session, decision: decision ?? unavailable });
  }

  #tell(message: SessionMessage): void {
    if (!this.#dead) this.#worker.postMessage(message);
  }

  /** An admission never rejects; the worker's own deadline refuses the connection. */
  #reportAdmission(error: unknown): void {
    const fields = { error: describeError(error) };
    this.#options.log({ level: "error", message: "admission failed unexpectedly", fields });
  }

  /** A worker meets hostile octets: what comes from it is looked at as they are. */
  #receive(data: unknown): void {
    try {
      this.#allowance.take();
      this.#take(checkMessage(data, (id) => this.#pending.get(id)?.type));
    } catch (error) {
      if (!(error instanceof MessageError)) throw error;
      if (this.#dead) return;
      // At once: what else it has said is not read any more.
      const reason = `it sent an invalid message: ${error.message}`;
      this.terminate(reason);
      this.#options.onDeath(reason);
    }
  }

  #take(message: FromWorker): void {
    // Disowned: it counts for nothing but for the sign that it can be ended.
    if (this.#dead && message.type !== "reply") return;
    switch (message.type) {
      case "reply":
        this.#pending.get(message.id)?.settle(message);
        return;
      case "log":
        this.#options.log(message.record);
        return;
      case "admit":
        this.#checkSession(message.request.id);
        this.#admit(message.request).catch((error) => this.#reportAdmission(error));
        return;
      case "leave":
        if (this.#sessions.delete(message.session)) {
          this.#options.admission?.leave(message.session);
        }
        return;
      case "requests":
        this.#options.onRequestBlock(message.route, message.block);
        return;
      case "events":
        for (const event of message.events) this.#options.onEvent(event);
        Atomics.sub(new Int32Array(this.#inFlight), InFlight.connections, 1);
        return;
      case "access_log":
        for (const event of message.events) this.#options.onRequest?.(event);
        Atomics.sub(new Int32Array(this.#inFlight), InFlight.requests, 1);
    }
  }
}

/** A fresh block of counters. */
export function newCounters(): SharedArrayBuffer {
  return new SharedArrayBuffer(COUNTERS_BYTES);
}
