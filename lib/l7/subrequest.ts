import { ErrorCode, type Fields, type RequestInit, type ResponseHead } from "../h2/mod.ts";
import { FieldError } from "../http/mod.ts";
import type { Deadline, Deadlines } from "../relay/mod.ts";
import type { Lease, PoolFailure, Upstream, Waiter } from "../upstream/mod.ts";
import { joined } from "../wire/mod.ts";
import { guardMethods } from "./guard.ts";
import type {
  BackendConnection,
  BackendFailure,
  BackendStream,
  ResponseHandler,
} from "./message.ts";
import { mayRepeat } from "./retry.ts";

/** Content of an answer that is kept; of longer ones there is none. */
const MAX_CONTENT = 16_384;
/** Fields of an answer. */
const MAX_FIELDS = 100;
/** Informational heads before it. */
const MAX_INTERIM = 8;

/** What came of a question. */
export type SubAnswer = {
  readonly status: number;
  readonly fields: Fields;
  /** All of it; nothing if that is too much. */
  readonly content: Uint8Array | undefined;
} | { readonly failure: string };

/** A request of the proxy's own, without content, whose answer is small. */
export class Subrequest implements ResponseHandler, Waiter<BackendConnection> {
  readonly answer: Promise<SubAnswer>;
  readonly #upstream: Upstream<BackendConnection>;
  readonly #request: RequestInit;
  readonly #client: string;
  readonly #deadline: Deadline;
  readonly #resolve: (answer: SubAnswer) => void;
  #lease: Lease<BackendConnection> | undefined;
  #stream: BackendStream | undefined;
  #head: ResponseHead | undefined;
  readonly #content: Uint8Array[] = [];
  #octets = 0;
  #interim = 0;
  #retried = false;
  #over = false;

  constructor({ upstream, request, client, deadlines }: {
    readonly upstream: Upstream<BackendConnection>;
    readonly request: RequestInit;
    /** Whose share of the backend it takes. */
    readonly client: string;
    readonly deadlines: Deadlines;
  }) {
    const { promise, resolve } = Promise.withResolvers<SubAnswer>();
    this.answer = promise;
    this.#resolve = resolve;
    this.#upstream = upstream;
    this.#request = request;
    this.#client = client;
    this.#deadline = deadlines.arm(() => this.fail("it did not answer in time"));
    this.#acquire();
  }

  /** Nobody wants the answer any more. */
  cancel(): void {
    this.fail("the client is gone");
  }

  onLease(lease: Lease<BackendConnection>): void {
    if (this.#over) return lease.release();
    this.#lease = lease;
    try {
      this.#stream = lease.link.request(this.#request, true, this);
    } catch (error) {
      if (!(error instanceof FieldError)) throw error;
      this.fail("a field that cannot be sent on");
    }
  }

  onUnavailable({ reason }: PoolFailure): void {
    this.fail(reason);
  }

  onResponse(head: ResponseHead, endStream: boolean): void {
    if (this.#over) return;
    if (head.status < 200) {
      if (head.status === 101 || ++this.#interim > MAX_INTERIM) this.fail("no answer to a GET");
      return;
    }
    if (head.fields.length > 2 * MAX_FIELDS) return this.fail("its answer has too many fields");
    this.#head = head;
    if (endStream) this.#finish();
  }

  onData(bytes: Uint8Array, endStream: boolean): void {
    if (this.#over) return;
    this.#octets += bytes.length;
    this.#stream?.consume(bytes.length);
    if (this.#octets > MAX_CONTENT) {
      this.#stream?.reset(ErrorCode.cancel);
      return this.#finish(false);
    }
    this.#content.push(bytes.slice());
    if (endStream) this.#finish();
  }

  onTrailers(): void {
    this.#finish();
  }

  onDrain(): void {}

  onFailure(failure: BackendFailure): void {
    if (this.#over) return;
    this.#stream = undefined;
    this.#release();
    if (!this.#retried && this.#head === undefined && mayRepeat(failure, "GET")) {
      this.#retried = true;
      return this.#acquire();
    }
    this.fail(failure.reason);
  }

  /** Ends without an answer. */
  fail(failure: string): void {
    if (this.#over) return;
    this.#stream?.reset(ErrorCode.cancel);
    this.#end({ failure });
  }

  #finish(isWhole = true): void {
    const head = this.#head;
    if (this.#over || head === undefined) return;
    const { status, fields } = head;
    this.#end({ status, fields, content: isWhole ? joined(this.#content) : undefined });
  }

  #acquire(): void {
    this.#upstream.acquire(this, { client: this.#client, affinity: undefined, tunnel: false });
  }

  #release(): void {
    const lease = this.#lease;
    this.#lease = undefined;
    lease?.release();
  }

  #end(answer: SubAnswer): void {
    this.#over = true;
    this.#deadline.cancel();
    this.#stream = undefined;
    if (this.#lease === undefined) this.#upstream.cancel(this);
    this.#release();
    this.#resolve(answer);
  }
}

guardMethods(
  Subrequest.prototype,
  ["onLease", "onUnavailable", "onResponse", "onData", "onTrailers", "onFailure", "fail"],
  (subrequest) => subrequest.fail("internal error"),
);
