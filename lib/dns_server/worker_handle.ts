import { describeError, type LogSink } from "../observe/mod.ts";
import { MessageError, VITAL_SIGNS_BYTES, VitalSigns } from "../workers/mod.ts";
import type { Ask, Told } from "./ask.ts";
import { DNS_ENTRY_URL } from "./entry_url.ts";
import { checkMessage } from "./incoming.ts";
import type { FromWorker, Reply, Request } from "./messages.ts";

/** The permissions of a worker: the network as far as we have it, nothing else. */
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

/** Four times what a worker asks at one time, for those are late that it waits for no more. */
const MAX_ASKED = 256;

/** What is said of itself by a worker that serves. */
export type Ports = { readonly port: number; readonly tlsPort: number };

/** What a {@link DnsWorkerHandle} is given. */
export interface DnsWorkerHandleOptions {
  readonly name: string;
  readonly log: LogSink;
  /** Default: the server of an address. */
  readonly entry?: URL;
  /** Answers what it asks; absent: nothing is known. */
  readonly answer?: (what: Ask) => Promise<Told | undefined>;
  /** Called once when it has ended on its own, or its sockets have. */
  readonly onDeath: (reason: string) => void;
}

/** The worker is gone, or has refused what it was told. */
export class DnsWorkerError extends Error {
  override readonly name = "DnsWorkerError";

  constructor(readonly code: "died" | "refused", message: string) {
    super(message);
  }
}

/** One incarnation of the server of an address: requests, each with its answer, and its end. */
export class DnsWorkerHandle {
  readonly #worker: Worker;
  readonly #options: DnsWorkerHandleOptions;
  readonly #pending = new Map<number, (reply: Reply | undefined | DnsWorkerError) => void>();
  readonly vitalSigns = new SharedArrayBuffer(VITAL_SIGNS_BYTES);
  /** Whether its event loop turns. */
  readonly signs = new VitalSigns(this.vitalSigns);
  #nextId = 1;
  /** What it has asked and was not told yet. */
  #asked = 0;
  #dead = false;

  constructor(options: DnsWorkerHandleOptions) {
    this.#options = options;
    this.#worker = new Worker(options.entry ?? DNS_ENTRY_URL, {
      type: "module",
      name: options.name,
      deno: { permissions: PERMISSIONS },
    });
    this.#worker.onmessage = ({ data }: MessageEvent<unknown>) => this.#receive(data);
    this.#worker.onerror = (event) => {
      event.preventDefault(); // Or the error would end the whole process.
      this.#die(event.message);
    };
  }

  /**
   * Asks the worker for something, and waits for the answer however late it is.
   *
   * @throws {DnsWorkerError}
   */
  async request(request: Request): Promise<Reply | undefined> {
    if (this.#dead) throw new DnsWorkerError("died", `${this.#options.name} is gone`);
    const id = this.#nextId++;
    const { promise, resolve } = Promise.withResolvers<Reply | undefined | DnsWorkerError>();
    this.#pending.set(id, resolve);
    this.#worker.postMessage({ ...request, id });
    const reply = await promise;
    if (reply instanceof DnsWorkerError) throw reply;
    return reply;
  }

  /** Ends the worker at once; what it was asked for fails with `died`. */
  terminate(reason: string): void {
    if (this.#dead) return;
    this.#dead = true;
    this.#worker.terminate();
    const error = new DnsWorkerError("died", `${this.#options.name}: ${reason}`);
    for (const settle of this.#pending.values()) settle(error);
    this.#pending.clear();
  }

  #die(reason: string): void {
    if (this.#dead) return;
    this.terminate(reason);
    this.#options.onDeath(reason);
  }

  async #answer(ask: number, what: Ask): Promise<void> {
    let told: Told | undefined;
    this.#asked++;
    try {
      // One of ours has fewer under way (see Asks): what another asks for is not worth an answer.
      if (this.#asked <= MAX_ASKED) told = await this.#options.answer?.(what);
    } catch (error) {
      const fields = { kind: what.kind, error: describeError(error) };
      this.#options.log({ level: "error", message: "a worker is not answered", fields });
    } finally {
      this.#asked--;
    }
    await this.request({ type: "told", ask, ...told && { told } });
  }

  #receive(data: unknown): void {
    if (this.#dead) return;
    try {
      this.#take(checkMessage(data));
    } catch (error) {
      if (!(error instanceof MessageError)) throw error;
      // At once: what else it has said is not read any more.
      this.#die(`it sent an invalid message: ${error.message}`);
    }
  }

  #take(message: FromWorker): void {
    switch (message.type) {
      case "log":
        return this.#options.log(message.record);
      case "failed":
        return this.#die(message.reason);
      case "ask":
        this.#answer(message.ask, message.what).catch(() => {}); // It is gone, and asks no more.
        return;
      case "reply": {
        const settle = this.#pending.get(message.id);
        this.#pending.delete(message.id);
        const { error, reply } = message;
        settle?.(error === undefined ? reply : new DnsWorkerError("refused", error));
      }
    }
  }
}
