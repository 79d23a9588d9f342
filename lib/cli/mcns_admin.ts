import { blockOf, cidrContains, parseIp } from "../addr/mod.ts";
import type { McnsConfig } from "../dns_config/mod.ts";
import { DnsAdmin, type DnsAdminOptions, TokenIntrospection } from "../dns_admin/mod.ts";
import type { DnsControl } from "../dns_control/mod.ts";
import { describeError, type LogSink } from "../observe/mod.ts";
import { createSockets, type SocketsKind } from "../tcp/mod.ts";
import { CommandError } from "./command_error.ts";
import { socketPathOf } from "./mcns_import.ts";
import { VERSION } from "./version.ts";

/** What {@link McnsManagement.start} is given. */
export interface McnsManagementOptions {
  readonly config: McnsConfig;
  readonly control: DnsControl;
  readonly sockets: SocketsKind;
  readonly log: LogSink;
  /** Why the server is not healthy; empty if it is. */
  readonly problem: () => string;
  /** How the addresses are that questions are answered at. */
  readonly addresses: NonNullable<DnsAdminOptions["addresses"]>;
  /** Reads the configuration again; what is odd about it. */
  readonly reload: () => Promise<readonly string[]>;
}

/** How the zones of a running name server are managed: REST and gRPC as configured, and its socket. */
export class McnsManagement implements AsyncDisposable {
  readonly #admin: DnsAdmin;
  readonly #log: LogSink;
  readonly #current: Current;

  private constructor(admin: DnsAdmin, current: Current, log: LogSink) {
    this.#admin = admin;
    this.#current = current;
    this.#log = log;
  }

  /** @throws {CommandError} if an address cannot be bound, or a file not be used. */
  static async start(options: McnsManagementOptions): Promise<McnsManagement> {
    const { config, control, log, problem, addresses, reload } = options;
    const { server, mcias } = config;
    const current: Current = { config, introspector: undefined };
    try {
      current.introspector = mcias && introspectorOf(mcias, log);
      const admin = await DnsAdmin.start(
        {
          ...{ control, log, problem, addresses, reload, version: VERSION, now: Date.now },
          introspector: current.introspector,
          sockets: createSockets(options.sockets),
          socketPath: socketPathOf(config.database.path),
          tokenHashes: config.auth.tokenHashes,
          recursion: (address) => recursionWords(current.config.dns, address),
          ...server && { credentials: readPair(server) },
          restAddr: server?.listenAddr,
          grpcAddr: server?.grpcAddr,
        } satisfies DnsAdminOptions,
      );
      const { rest, grpc } = admin.ports;
      const fields = {
        ...rest > 0 && { rest: server?.listenAddr ?? "", restPort: rest },
        ...grpc > 0 && { grpc: server?.grpcAddr ?? "", grpcPort: grpc },
      };
      log({ level: "info", message: "managed", fields });
      return new McnsManagement(admin, current, log);
    } catch (error) {
      current.introspector?.[Symbol.dispose]();
      throw new CommandError(describeError(error), { cause: error });
    }
  }

  /**
   * Reads certificates and authorities as they are in their files now.
   *
   * @returns what takes them, the static tokens, and whom to ask about others.
   * @throws if a file cannot be read.
   */
  prepare(config: McnsConfig): () => void {
    const { server, mcias, auth: { tokenHashes } } = config;
    const pair = server && readPair(server);
    const isSame = JSON.stringify(mcias) === JSON.stringify(this.#current.config.mcias) &&
      mcias?.caCert === "";
    const introspector = isSame
      ? this.#current.introspector
      : mcias && introspectorOf(mcias, this.#log);
    return () => {
      if (pair !== undefined) this.#admin.present(pair);
      this.#admin.authorize({ tokenHashes, introspector });
      const { introspector: before } = this.#current;
      this.#current.config = config;
      this.#current.introspector = introspector;
      if (before !== introspector) before?.retire();
    };
  }

  /** Takes no more calls, and ends when those under way have. */
  async close(): Promise<void> {
    await this.#admin.close();
    this.#current.introspector?.[Symbol.dispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** What is in use. */
interface Current {
  config: McnsConfig;
  introspector: TokenIntrospection | undefined;
}

function introspectorOf(
  { serverUrl, serviceName, tags, caCert }: NonNullable<McnsConfig["mcias"]>,
  log: LogSink,
): TokenIntrospection {
  return new TokenIntrospection({
    ...{ serverUrl, serviceName, tags, log },
    caCertPem: caCert === "" ? "" : Deno.readTextFileSync(caCert),
    now: Date.now,
  });
}

function readPair({ tlsCert, tlsKey }: { readonly tlsCert: string; readonly tlsKey: string }) {
  return { certPem: Deno.readTextFileSync(tlsCert), keyPem: Deno.readTextFileSync(tlsKey) };
}

/** What becomes of a question that no zone answers. */
function recursionWords(
  { upstreams, forward, allowRecursion }: McnsConfig["dns"],
  address: string,
) {
  const ip = parseIp(address);
  if (!ip.ok) return `${JSON.stringify(address.slice(0, 64))} is no address`;
  if (upstreams.length + forward.length === 0) return "it is refused: there are no upstreams";
  const isAllowed = allowRecursion
    .some((text) => cidrContains(blockOf(text, "allow_recursion"), ip.value));
  return isAllowed
    ? `${address} may ask for it: other servers are asked`
    : `it is refused: ${address} is not in allow_recursion`;
}
