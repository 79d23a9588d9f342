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
}

/** How the zones of a running name server are managed: REST and gRPC as configured, and its socket. */
export class McnsManagement implements AsyncDisposable {
  readonly #admin: DnsAdmin;
  readonly #introspector: TokenIntrospection | undefined;
  readonly #log: LogSink;

  private constructor(
    admin: DnsAdmin,
    { introspector, log }: {
      readonly introspector: TokenIntrospection | undefined;
      readonly log: LogSink;
    },
  ) {
    this.#admin = admin;
    this.#introspector = introspector;
    this.#log = log;
  }

  /** @throws {CommandError} if an address cannot be bound, or a file not be used. */
  static async start(options: McnsManagementOptions): Promise<McnsManagement> {
    const { config, control, log, problem, addresses } = options;
    const { server, mcias } = config;
    let introspector: TokenIntrospection | undefined;
    try {
      introspector = mcias && new TokenIntrospection({
        ...{ serverUrl: mcias.serverUrl, serviceName: mcias.serviceName, tags: mcias.tags, log },
        caCertPem: mcias.caCert === "" ? "" : Deno.readTextFileSync(mcias.caCert),
        now: Date.now,
      });
      const admin = await DnsAdmin.start(
        {
          ...{ control, log, problem, addresses, introspector, version: VERSION, now: Date.now },
          sockets: createSockets(options.sockets),
          socketPath: socketPathOf(config.database.path),
          tokenHashes: config.auth.tokenHashes,
          recursion: (address) => recursionWords(config.dns, address),
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
      return new McnsManagement(admin, { introspector, log });
    } catch (error) {
      introspector?.[Symbol.dispose]();
      throw new CommandError(describeError(error), { cause: error });
    }
  }

  /** Takes the certificate as it is in its files now; one that is broken changes nothing. */
  reload({ server }: McnsConfig): void {
    if (server === undefined) return;
    try {
      this.#admin.present(readPair(server));
    } catch (error) {
      const fields = { error: describeError(error) };
      this.#log({ level: "error", message: "a certificate cannot be read again", fields });
    }
  }

  /** Takes no more calls, and ends when those under way have. */
  async close(): Promise<void> {
    await this.#admin.close();
    this.#introspector?.[Symbol.dispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
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
