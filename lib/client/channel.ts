import { Buffer } from "node:buffer";
import { Client, credentials, Metadata, type ServiceError } from "@grpc/grpc-js";
import type {
  DescMessage,
  DescMethodServerStreaming,
  DescMethodUnary,
  MessageInitShape,
  MessageShape,
} from "@bufbuild/protobuf";
import {
  decodeBadRequest,
  parser,
  pathOf,
  rpcCodeOf,
  RpcError,
  serializer,
  STATUS_DETAILS,
} from "../rpc/mod.ts";
import { deferGoaway } from "./_deferred_goaway.ts";

/** How one call is made. */
export interface CallOptions {
  /** How long to wait for the answer; for a stream, for its end. */
  readonly timeoutMs?: number;
  /** Gives the call up. */
  readonly signal?: AbortSignal;
}

/** Of one message: a listing of 100,000 routes has about 15 MB, a million rules 25 to 60. */
const MAX_MESSAGE_BYTES = 96 * 1024 * 1024;

/** Where a gRPC server is: the path of a Unix socket, or an address that is spoken to over TLS. */
export type ChannelTarget = string | {
  /** `host:port`. */
  readonly address: string;
  /** PEM of the authorities of its certificate; absent: those of the runtime. */
  readonly caPem?: string | undefined;
};

/** A connection to a gRPC server, made at the first call. */
export class Channel implements Disposable {
  readonly #client: Client;
  readonly #metadata: Metadata;
  /** Calls in flight: gRPC would let them go on after {@link close}. */
  readonly #calls = new Set<{ cancel(): void }>();

  constructor(target: ChannelTarget, metadata: Readonly<Record<string, string>> = {}) {
    deferGoaway();
    const [address, security] = typeof target === "string"
      ? [`unix:${target}`, credentials.createInsecure()]
      : [target.address, tlsTo(target.caPem)];
    this.#client = new Client(address, security, {
      "grpc.max_receive_message_length": MAX_MESSAGE_BYTES,
      "grpc.max_send_message_length": MAX_MESSAGE_BYTES,
      // Nobody configures a channel to a local socket from outside.
      "grpc.service_config_disable_resolution": 1,
      "grpc.enable_http_proxy": 0,
      "grpc.enable_channelz": 0,
      // Each client has its own connection, which ends with it.
      "grpc.use_local_subchannel_pool": 1,
      // A restarted server is found again at once.
      "grpc.initial_reconnect_backoff_ms": 50,
      "grpc.max_reconnect_backoff_ms": 1000,
    });
    this.#metadata = new Metadata();
    for (const [key, value] of Object.entries(metadata)) this.#metadata.set(key, value);
  }

  /**
   * One request, one answer.
   *
   * @throws {RpcError}
   */
  unary<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
    options: CallOptions = {},
  ): Promise<MessageShape<O>> {
    const { promise, resolve, reject } = Promise.withResolvers<MessageShape<O>>();
    const call = this.#client.makeUnaryRequest(
      pathOf(method),
      serializer(method.input),
      parser(method.output),
      request,
      this.#metadata,
      callOptions(options),
      (error, reply) => {
        options.signal?.removeEventListener("abort", cancel);
        this.#calls.delete(call);
        if (error !== null) reject(toRpcError(error));
        else if (reply?.ok) resolve(reply.message);
        else reject(unreadable());
      },
    );
    this.#calls.add(call);
    const cancel = () => call.cancel();
    options.signal?.addEventListener("abort", cancel, { once: true });
    if (options.signal?.aborted) cancel();
    return promise;
  }

  /**
   * One request, a stream of answers. Leaving the loop ends the call.
   *
   * @throws {RpcError}
   */
  async *serverStream<I extends DescMessage, O extends DescMessage>(
    method: DescMethodServerStreaming<I, O>,
    request: MessageInitShape<I>,
    options: CallOptions = {},
  ): AsyncGenerator<MessageShape<O>, void, undefined> {
    if (options.signal?.aborted) throw new RpcError("cancelled", "the call was given up");
    const call = this.#client.makeServerStreamRequest(
      pathOf(method),
      serializer(method.input),
      parser(method.output),
      request,
      this.#metadata,
      callOptions(options),
    );
    this.#calls.add(call);
    const cancel = () => call.cancel();
    options.signal?.addEventListener("abort", cancel, { once: true });
    try {
      for await (const reply of call) {
        if (!reply.ok) throw unreadable();
        yield reply.message;
      }
    } catch (error) {
      throw toRpcError(error);
    } finally {
      options.signal?.removeEventListener("abort", cancel);
      this.#calls.delete(call);
      // The stream reports its own cancellation once more when nobody reads it any longer.
      call.on("error", () => {});
      call.cancel();
    }
  }

  /** Ends the connection; calls in flight fail. */
  close(): void {
    for (const call of [...this.#calls]) call.cancel();
    this.#client.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

function tlsTo(caPem: string | undefined) {
  return credentials.createSsl(caPem === undefined ? null : Buffer.from(caPem));
}

function callOptions({ timeoutMs }: CallOptions) {
  return timeoutMs === undefined ? {} : { deadline: Date.now() + timeoutMs };
}

function toRpcError(error: unknown): RpcError {
  if (error instanceof RpcError) return error;
  const { code, details, metadata } = error as Partial<ServiceError>;
  const message = details || (error instanceof Error ? error.message : String(error));
  const [octets] = metadata?.get(STATUS_DETAILS) ?? [];
  const violations = octets instanceof Uint8Array ? decodeBadRequest(octets) : [];
  return new RpcError(rpcCodeOf(code ?? 2), message, { cause: error, violations });
}

function unreadable(): RpcError {
  return new RpcError("internal", "the answer is not a message of its type");
}
