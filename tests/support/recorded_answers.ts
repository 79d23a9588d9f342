/** A pool with one backend, and what keeps what an answer was. */
import assert from "node:assert/strict";
import { type Fields, OutputPool, type RequestInit, type ResponseHead } from "../../lib/h2/mod.ts";
import { Turns } from "../../lib/http_io/mod.ts";
import { BackendDialer, type BackendDialerOptions } from "../../lib/l7/backend_dialer.ts";
import type {
  BackendConnection,
  BackendFailure,
  BackendStream,
  ResponseHandler,
} from "../../lib/l7/message.ts";
import { unlimitedDescriptors } from "../../lib/observe/mod.ts";
import { systemLookup } from "../../lib/relay/mod.ts";
import { type Expectation, type Lease, Pool, type PoolFailure } from "../../lib/upstream/mod.ts";
import { eventually, withinDeadline } from "./deadline.ts";

/** Keeps what it was told. */
export class Recorder implements ResponseHandler {
  readonly heads: ResponseHead[] = [];
  readonly failures: BackendFailure[] = [];
  body = new Uint8Array(0);
  received = 0;
  trailers: Fields | undefined;
  ends = 0;
  drains = 0;
  stream: BackendStream | undefined;
  /** The exchange is over, in whatever way. */
  onOver = () => {};
  /** Whether content is consumed as it comes. */
  readonly eager: boolean;
  #insideRequest = false;

  constructor(eager = true) {
    this.eager = eager;
  }

  send(transport: BackendConnection, head: RequestInit, endStream: boolean): BackendStream {
    this.#insideRequest = true;
    this.stream = transport.request(head, endStream, this);
    this.#insideRequest = false;
    return this.stream;
  }

  get over(): boolean {
    return this.ends > 0 || this.failures.length > 0;
  }

  onResponse(head: ResponseHead, endStream: boolean): void {
    this.#check();
    this.heads.push(head);
    if (endStream) this.#end();
  }

  onData(bytes: Uint8Array, endStream: boolean): void {
    this.#check();
    this.received += bytes.length;
    if (this.eager) {
      this.body = Buffer.concat([this.body, bytes]);
      this.stream?.consume(bytes.length);
    }
    if (endStream) this.#end();
  }

  onTrailers(fields: Fields): void {
    this.#check();
    this.trailers = fields;
    this.#end();
  }

  onDrain(): void {
    this.drains++;
  }

  onFailure(failure: BackendFailure): void {
    this.#check();
    this.failures.push(failure);
    this.onOver();
  }

  #end(): void {
    this.ends++;
    this.onOver();
  }

  #check(): void {
    assert.equal(this.#insideRequest, false, "nothing is told from inside request()");
    assert.equal(this.over, false, "nothing is told after the end");
  }
}

/** A request, with these changes. */
export function headOf(changes: Partial<RequestInit> = {}): RequestInit {
  return {
    method: "GET",
    scheme: "https",
    authority: "a.test",
    path: "/",
    fields: [],
    ...changes,
  };
}

/** A pool of connections to a port of this machine. */
export function poolFor(
  port: number,
  { expects, h2Transport }: {
    readonly expects: Expectation;
    readonly h2Transport: BackendDialerOptions["h2Transport"];
  },
): Pool<BackendConnection> {
  return new Pool({
    dialer: new BackendDialer({
      address: { endpoint: { host: "127.0.0.1", port } },
      h2Transport,
      pool: new OutputPool(),
      lookup: systemLookup,
      descriptors: unlimitedDescriptors,
      turns: new Turns(),
      onCrash: (error) => assert.fail(String(error)),
      now: () => performance.now(),
    }),
    timers: {
      now: () => performance.now(),
      after: (ms, fn) => {
        const timer = setTimeout(fn, ms);
        return () => clearTimeout(timer);
      },
    },
    expects,
    overTls: false,
    connectTimeoutMs: 5000,
  });
}

/** A connection of the pool. */
export function acquire(pool: Pool<BackendConnection>): Promise<Lease<BackendConnection>> {
  const { promise, resolve, reject } = Promise.withResolvers<Lease<BackendConnection>>();
  const onUnavailable = ({ kind, reason }: PoolFailure) =>
    reject(Object.assign(new Error(reason), { kind }));
  const needs = { client: "c", affinity: undefined, tunnel: false };
  pool.acquire({ onLease: resolve, onUnavailable }, needs);
  return withinDeadline(promise, "a connection");
}

/** Waits for the end of an answer. */
export async function ended(recorder: Recorder): Promise<void> {
  await eventually(() => recorder.over, "the response ends");
}
