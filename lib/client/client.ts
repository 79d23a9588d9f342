import type {
  DescMessage,
  DescMethodServerStreaming,
  DescMethodUnary,
  DescService,
  MessageInitShape,
  MessageShape,
} from "@bufbuild/protobuf";
import { health, ProxyAdminService } from "../admin/gen/mod.ts";
import { type CallOptions, Channel, type ChannelTarget } from "./channel.ts";
import { toAdminError } from "./error.ts";

export type { CallOptions };

/** How a client is made. */
export interface ClientOptions {
  /** The socket of the proxy: `grpc.addr` of its configuration. */
  readonly socketPath: string;
  /** How long a call may take that has no `timeoutMs` of its own. Default: 30 s. */
  readonly timeoutMs?: number;
  /** Who asks, for the audit log: printable ASCII, at most 64 characters. */
  readonly actor?: string;
  /** Refuses each change whose request does not say it itself unless the state is at this revision. */
  readonly ifRevision?: bigint;
}

const DEFAULT_TIMEOUT_MS = 30_000;

/**
 * One function for each method of a service: a promise of the answer, or an iterable of answers. All
 * of them throw {@link AdminError}.
 */
export type ServiceClient<S extends DescService> =
  & {
    readonly [K in keyof S["method"]]: S["method"][K] extends DescMethodUnary<infer I, infer O>
      ? (request: MessageInitShape<I>, options?: CallOptions) => Promise<MessageShape<O>>
      : S["method"][K] extends DescMethodServerStreaming<infer I, infer O> ? (
          request: MessageInitShape<I>,
          options?: CallOptions,
        ) => AsyncGenerator<MessageShape<O>, void, undefined>
      : never;
  }
  & Disposable
  & {
    /** Whether the program says that it serves (`grpc.health.v1`). */
    healthy(options?: CallOptions): Promise<boolean>;
    /** Ends the connection; calls in flight fail. */
    close(): void;
  };

/** The client of `proto/mc_proxy/v1/admin.proto`. */
export type AdminClient = ServiceClient<typeof ProxyAdminService>;

/** How a client of any service is made. */
export interface ServiceClientOptions {
  readonly target: ChannelTarget;
  /** Sent with every call. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** How long a call may take that has no `timeoutMs` of its own. Default: 30 s. */
  readonly timeoutMs?: number | undefined;
  /** Fields of requests that have them and do not say it themselves, by their names. */
  readonly usual?: Readonly<Record<string, unknown>>;
}

/**
 * Makes a client; the connection is made by the first call and again when it is lost.
 *
 * The program needs `--allow-net=unix:PATH --allow-read=PATH --allow-write=PATH` and nothing else.
 *
 * @example
 * ```ts no-assert
 * import { createClient, NotFoundError } from "./mod.ts";
 *
 * async function reroute(socketPath: string): Promise<void> {
 *   using client = createClient({ socketPath });
 *   const listenerAddr = ":443";
 *   try {
 *     await client.removeRoute({ listenerAddr, hostname: "old.example" });
 *   } catch (error) {
 *     if (!(error instanceof NotFoundError)) throw error;
 *   }
 *   await client.addRoute({ listenerAddr, hostname: "new.example", backend: "192.0.2.1:443" });
 *   for await (const { status } of client.watchStatus({})) {
 *     if ((status?.activeConnections ?? 0) === 0) break;
 *   }
 * }
 * ```
 */
export function createClient(options: ClientOptions): AdminClient {
  const { socketPath, timeoutMs, actor, ifRevision } = options;
  return createServiceClient(ProxyAdminService, {
    ...{ target: socketPath, timeoutMs },
    metadata: actor === undefined ? {} : { "mc-proxy-actor": actor },
    usual: ifRevision === undefined ? {} : { ifRevision },
  });
}

/** Makes a client of any service; the connection is made by the first call. */
export function createServiceClient<S extends DescService>(
  service: S,
  options: ServiceClientOptions,
): ServiceClient<S> {
  const { target, metadata = {}, timeoutMs = DEFAULT_TIMEOUT_MS, usual = {} } = options;
  const channel = new Channel(target, metadata);
  const methods: Record<string, unknown> = {};
  for (const method of service.methods) {
    methods[method.localName] = method.methodKind === "unary"
      ? unary(channel, method as DescMethodUnary, { timeoutMs, usual: usualOf(method, usual) })
      : stream(channel, method as DescMethodServerStreaming);
  }
  const check = unary(channel, health.Health.method.check, { timeoutMs, usual: {} });
  return {
    ...methods,
    healthy: async (call?: CallOptions) =>
      (await check({}, call)).status === health.HealthCheckResponse_ServingStatus.SERVING,
    close: () => channel.close(),
    [Symbol.dispose]: () => channel.close(),
    // Made from the same descriptor that the type is made from.
  } as ServiceClient<S>;
}

/** Those of the usual fields that a method's requests have. */
function usualOf(
  { input }: { readonly input: DescMessage },
  usual: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  const has = (name: string) => input.fields.some(({ localName }) => localName === name);
  return Object.fromEntries(Object.entries(usual).filter(([name]) => has(name)));
}

function unary<I extends DescMessage, O extends DescMessage>(
  channel: Channel,
  method: DescMethodUnary<I, O>,
  { timeoutMs, usual }: {
    readonly timeoutMs: number;
    readonly usual: Readonly<Record<string, unknown>>;
  },
): (request: MessageInitShape<I>, options?: CallOptions) => Promise<MessageShape<O>> {
  return async (request, options = {}) => {
    try {
      return await channel.unary(method, { ...usual, ...request }, { timeoutMs, ...options });
    } catch (error) {
      throw toAdminError(error);
    }
  };
}

function stream<I extends DescMessage, O extends DescMessage>(
  channel: Channel,
  method: DescMethodServerStreaming<I, O>,
): (request: MessageInitShape<I>, options?: CallOptions) => AsyncGenerator<MessageShape<O>> {
  return async function* (request, options = {}) {
    try {
      yield* channel.serverStream(method, request, options);
    } catch (error) {
      throw toAdminError(error);
    }
  };
}
