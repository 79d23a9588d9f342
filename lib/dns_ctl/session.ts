import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import { mcns } from "../admin/gen/mod.ts";
import { createServiceClient, type ServiceClient } from "../client/mod.ts";
import { messageToJson } from "../rpc/mod.ts";
import { Answers, type Output, UsageError } from "../terminal/mod.ts";

/** Options that every command takes. */
export interface GlobalOptions {
  readonly socket: string;
  /** `host:port` of gRPC; then the socket is not used. */
  readonly server?: string;
  readonly ca?: string;
  readonly tokenFile?: string;
  readonly json?: true;
  readonly as?: string;
  readonly timeout: number;
  readonly ifVersion?: string;
}

/** One run of a command against a running name server. */
export class Session extends Answers implements Disposable {
  readonly client: ServiceClient<typeof mcns.ZoneService>;

  /** @throws {UsageError} for a file that cannot be read. */
  constructor(options: GlobalOptions, output: Output, notes?: Output) {
    super("mcnsctl", { json: options.json ?? false, output, notes });
    const { socket, server, ca, tokenFile, as, timeout: timeoutMs, ifVersion } = options;
    const caPem = ca === undefined ? undefined : read(ca);
    const token = tokenFile === undefined ? undefined : read(tokenFile).trim();
    if (server !== undefined && token === undefined) {
      throw new UsageError("--server needs --token-file");
    }
    this.client = createServiceClient(mcns.ZoneService, {
      target: server === undefined ? socket : { address: server, caPem },
      metadata: {
        // Never to a socket, where it is not asked for.
        ...server !== undefined && { authorization: `Bearer ${token}` },
        ...as !== undefined && { "mcns-actor": as },
      },
      timeoutMs,
      usual: ifVersion === undefined ? {} : { ifVersion: [ifVersion] },
    });
  }

  /** An answer, as JSON with the names of the protocol or in words. */
  answer<D extends DescMessage>(
    desc: D,
    message: MessageShape<D>,
    inWords: (message: MessageShape<D>) => readonly string[],
  ): void {
    if (this.json) return this.raw(`${messageToJson(desc, message)}\n`);
    this.print(...inWords(message));
  }

  [Symbol.dispose](): void {
    this.client.close();
  }
}

/** What a change led to, in words. */
export function doneWords(done: mcns.Done | undefined): string {
  const late = done?.pendingWorkers ?? [];
  const where = late.length === 0 ? "" : `; not yet in effect in workers ${late.join(", ")}`;
  return `serial ${done?.serial}, version ${done?.version}${where}`;
}

function read(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    throw new UsageError(`cannot read ${path}`, { cause: error });
  }
}
