import type { DescMethod } from "@bufbuild/protobuf";
import { health, mcns, reflection, reflectionAlpha } from "../admin/gen/mod.ts";
import { ApiServer, type Credentials, SecureListener } from "../api_server/mod.ts";
import type { DnsControl } from "../dns_control/mod.ts";
import { describeError, type LogSink } from "../observe/mod.ts";
import {
  bindPrivately,
  type BoundSocket,
  type CallContext,
  GrpcServer,
  healthHandlers,
  type Method,
  methodsOf,
  reflectionHandlers,
  sleep,
} from "../rpc_server/mod.ts";
import type { Sockets } from "../tcp/mod.ts";
import { Authenticator, type Introspector } from "./auth.ts";
import { RestApi } from "./rest.ts";
import type { RoutesOptions } from "./routes_options.ts";
import { toRpcError } from "./rpc_errors.ts";
import { rpcHandlers } from "./rpc_handlers.ts";

/** What {@link DnsAdmin.start} is given. */
export interface DnsAdminOptions {
  readonly control: DnsControl;
  /** The program's version. */
  readonly version: string;
  readonly log: LogSink;
  readonly sockets: Sockets;
  /** Of REST, `host:port`; absent: it is not served. */
  readonly restAddr?: string | undefined;
  /** Of gRPC, `host:port`; absent: it is not served. */
  readonly grpcAddr?: string | undefined;
  /** Needed for both. */
  readonly credentials?: Credentials | undefined;
  /** A Unix socket that only its owner may open, who may do everything; absent: there is none. */
  readonly socketPath?: string | undefined;
  /** `sha256:` and 64 hexadecimal digits in lower case: tokens that may do everything. */
  readonly tokenHashes: readonly string[];
  readonly introspector?: Introspector | undefined;
  /** Why the server is not healthy, beyond what `control` knows; empty if it is. */
  readonly problem?: (() => string) | undefined;
  /** How the addresses are that questions are answered at; absent: there are none. */
  readonly addresses?: RoutesOptions["addresses"];
  /** Reads the configuration again; what is odd about it. @throws {Error} with what is wrong. */
  readonly reload?: (() => Promise<readonly string[]>) | undefined;
  /** What becomes of a question that no zone answers, by the address of who asks. */
  readonly recursion?: ((address: string) => string) | undefined;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** Whole zone files are large, and take as long. */
const WHOLE_ZONE = { maxCallMs: 600_000, maxMessageBytes: 160 * 1024 * 1024 };
/** More than operators, their scripts and their monitoring need. */
const LIMITS = {
  maxConnections: 256,
  maxCallsPerConnection: 32,
  maxCalls: 256,
  maxStreams: 64,
  maxCallMs: 60_000,
  maxMessageBytes: 1024 * 1024,
  maxWaitingRequests: 64,
};
/** Calls that are answered when the server closes have this long to end. */
const CLOSE_GRACE_MS = 2000;

/** Everything by which a name server is managed: REST, gRPC, and gRPC on a private socket. */
export class DnsAdmin {
  #rest: ApiServer | undefined;
  #network: { readonly server: GrpcServer; readonly listener: SecureListener } | undefined;
  #local: { readonly server: GrpcServer; readonly socket: BoundSocket } | undefined;
  readonly #closing = new AbortController();
  readonly #authenticator: Authenticator;

  private constructor({ tokenHashes, control, introspector }: DnsAdminOptions) {
    this.#authenticator = new Authenticator({ tokenHashes, tokens: control.tokens, introspector });
  }

  /**
   * Listens wherever it is to.
   *
   * @throws {Error} if an address cannot be bound or the certificate not be used; nothing listens then.
   */
  static async start(options: DnsAdminOptions): Promise<DnsAdmin> {
    const admin = new DnsAdmin(options);
    try {
      await admin.#listen(options);
      return admin;
    } catch (error) {
      await admin.close();
      throw error;
    }
  }

  /** Ports of REST and gRPC; 0: it is not served. */
  get ports(): { readonly rest: number; readonly grpc: number } {
    return { rest: this.#rest?.listener.port ?? 0, grpc: this.#network?.listener.port ?? 0 };
  }

  /**
   * New connections get another certificate.
   *
   * @throws {Error} if it cannot be used; the one before stays.
   */
  present(credentials: Credentials): void {
    this.#rest?.listener.present(credentials);
    this.#network?.listener.present(credentials);
  }

  /** Other static tokens, and whoever else is asked about tokens, from now on. */
  authorize(by: Pick<DnsAdminOptions, "tokenHashes" | "introspector">): void {
    this.#authenticator.update(by);
  }

  /** Takes no more calls, and ends: first streams, then calls that take too long. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#local?.socket[Symbol.dispose]();
    this.#network?.listener.stop();
    await Promise.all([
      this.#rest?.close(CLOSE_GRACE_MS),
      this.#network?.server.close(CLOSE_GRACE_MS),
      this.#local?.server.close(CLOSE_GRACE_MS),
    ]);
    this.#network?.listener.cut();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #listen(options: DnsAdminOptions): Promise<void> {
    const { sockets, log, now, restAddr, grpcAddr, socketPath } = options;
    const { credentials } = options;
    const authenticator = this.#authenticator;
    if (restAddr !== undefined && credentials !== undefined) {
      const api = new RestApi({ ...options, authenticator });
      const handle = api.handle.bind(api);
      this.#rest = await ApiServer.listen({
        addr: restAddr,
        credentials,
        sockets,
        log,
        now,
        handle,
      });
    }
    if (grpcAddr !== undefined && credentials !== undefined) {
      const server = this.#grpc({ ...options, authenticator }, true);
      const listener = await SecureListener.listen({
        ...{ addr: grpcAddr, credentials, sockets, log, alpn: ["h2"] },
        serve: ({ stream, address }) => server.serve(stream, address),
      }).catch(async (error) => {
        await server.close(0);
        throw error;
      });
      this.#network = { server, listener };
    }
    if (socketPath === undefined) return;
    let owner = -1;
    const local = { ...options, authenticator, owner: () => `uid ${owner}` };
    const server = this.#grpc(local, false);
    const socket = await bindPrivately(socketPath, (path) => server.listen(path))
      .catch(async (error) => {
        await server.close(0);
        throw error;
      });
    owner = socket.owner;
    this.#local = { server, socket };
  }

  #grpc(
    options: DnsAdminOptions & {
      readonly authenticator: Authenticator;
      readonly owner?: () => string;
    },
    isPublic: boolean,
  ): GrpcServer {
    // Whoever shows no token makes nobody hold what he sends.
    const admit = async (call: CallContext, { parent }: DescMethod) => {
      if (parent.typeName !== mcns.ZoneService.typeName) return;
      const { authenticator } = options;
      await authenticator.authenticate(call.metadata("authorization"), call.address ?? "");
    };
    return new GrpcServer(methodsFor(options, this.#closing.signal), {
      ...LIMITS,
      large: LARGE,
      ...isPublic && { admit },
      translate: toRpcError,
      onError: (method, error) => {
        const fields = { method, error: describeError(error) };
        options.log({ level: "error", message: "a call of the API failed", fields });
      },
    });
  }
}

/** What nobody needs a token for is as small as it can be. */
const SMALL = { maxCallMs: 10_000, maxMessageBytes: 16_384 };
const LARGE = {
  ImportZone: WHOLE_ZONE,
  RefreshZone: { ...SMALL, maxCallMs: WHOLE_ZONE.maxCallMs },
  WriteBack: WHOLE_ZONE,
  Check: SMALL,
  Watch: SMALL,
  ServerReflectionInfo: SMALL,
};

/** Every method of every service by its path. */
function methodsFor(
  options: Parameters<typeof rpcHandlers>[0],
  closing: AbortSignal,
): ReadonlyMap<string, Method> {
  const { control, problem = () => "" } = options;
  const source = {
    healthy: () => (control.problem || problem()) === "",
    services: [mcns.ZoneService.typeName],
    sleep: (ms: number, signal: AbortSignal) => sleep(ms, signal, closing),
    closing,
  };
  const { v1, v1alpha } = reflectionHandlers([
    mcns.ZoneService,
    health.Health,
    reflection.ServerReflection,
    reflectionAlpha.ServerReflection,
  ]);
  return new Map([
    ...methodsOf(mcns.ZoneService, rpcHandlers(options)),
    ...methodsOf(health.Health, healthHandlers(source)),
    ...methodsOf(reflection.ServerReflection, v1),
    ...methodsOf(reflectionAlpha.ServerReflection, v1alpha),
  ]);
}
