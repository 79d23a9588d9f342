/**
 * A name server of one address in this process, and clients that send it octets.
 *
 * @module
 */
import assert from "node:assert/strict";
import { sipKey } from "../../lib/dns/mod.ts";
import {
  AddressServer,
  createRateBuffer,
  DnsCounters,
  type RateSettings,
  type ServingSettings,
  type TlsMaterial,
} from "../../lib/dns_server/mod.ts";
import { type Zone, ZoneTable } from "../../lib/zones/mod.ts";
import { concat } from "../../lib/wire/mod.ts";
import { withinDeadline } from "./deadline.ts";

/** RFC 9018, appendix A. */
export const COOKIE_SECRET = sipKey(Uint8Array.fromHex("e5e973e5a6b2a43f48e7dc849e37bfcf"));

/** What a test changes of how questions are answered. */
export type ServingChanges = Partial<Omit<ServingSettings, "rate" | "limits">> & {
  readonly rate?: Partial<RateSettings>;
  readonly limits?: Partial<ServingSettings["limits"]>;
  readonly tls?: TlsMaterial;
  readonly host?: string;
};

/** How questions are answered by default, without a limit to their number. */
export function servingSettings(
  { rate, limits, ...changes }: ServingChanges = {},
): ServingSettings {
  const responsesPerSecond = rate?.responsesPerSecond ?? 0;
  return {
    udpPayload: 1232,
    cookieSecret: COOKIE_SECRET,
    ...changes,
    rate: {
      slip: 2,
      ipv4Prefix: 24,
      ipv6Prefix: 56,
      exempt: [],
      buffer: createRateBuffer(responsesPerSecond),
      ...rate,
      responsesPerSecond,
    },
    limits: {
      tcpConnections: 1000,
      tcpPerSource: 1000,
      tcpIdleMs: 10_000,
      tcpPipeline: 64,
      ...limits,
    },
  };
}

/** A server in this process. */
export interface ServedZones extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  readonly tlsPort: number;
  readonly server: AddressServer;
  readonly counters: DnsCounters;
  /** Failures of sockets. */
  readonly failures: readonly unknown[];
}

/** Serves zones at a free port of the loopback interface. */
export async function serveZones(
  zones: readonly Zone[],
  { tls, host = "127.0.0.1", ...changes }: ServingChanges = {},
): Promise<ServedZones> {
  const counters = new DnsCounters();
  const failures: unknown[] = [];
  const server = await AddressServer.open({
    address: { host, port: 0, ...tls && { tlsPort: 0 } },
    settings: servingSettings(changes),
    sockets: "handles",
    zones: new ZoneTable(zones),
    counters,
    ...tls && { tls },
    onFault: (error) => failures.push(error),
    onFailure: (error) => failures.push(error),
  });
  const { port, tlsPort } = server;
  return {
    ...{ host, port, tlsPort, server, counters, failures },
    async [Symbol.asyncDispose]() {
      await server.close();
      assert.deepEqual(failures, []);
      assert.equal(counters.get("connections_open"), 0);
    },
  };
}

/** A client over UDP, at an address of its own. */
export class UdpClient implements Disposable {
  readonly #socket: Deno.DatagramConn;
  readonly #to: Deno.NetAddr;
  #closed = false;

  constructor(
    { host, port }: { readonly host: string; readonly port: number },
    { from = host, fromPort = 0 }: { readonly from?: string; readonly fromPort?: number } = {},
  ) {
    this.#socket = Deno.listenDatagram({ transport: "udp", hostname: from, port: fromPort });
    this.#to = { transport: "udp", hostname: host, port };
  }

  get port(): number {
    return (this.#socket.addr as Deno.NetAddr).port;
  }

  async send(octets: Uint8Array): Promise<void> {
    await this.#socket.send(octets, this.#to);
  }

  /** The next datagram. */
  async receive(): Promise<Uint8Array> {
    const [octets] = await withinDeadline(this.#socket.receive(), "a datagram comes");
    return octets;
  }

  /** The next datagram, however late; undefined: the client is closed. */
  async receiveUntilClosed(): Promise<Uint8Array | undefined> {
    try {
      const [octets] = await this.#socket.receive();
      return octets;
    } catch (error) {
      if (this.#closed) return undefined;
      throw error;
    }
  }

  async ask(octets: Uint8Array): Promise<Uint8Array> {
    await this.send(octets);
    return await this.receive();
  }

  [Symbol.dispose](): void {
    if (!this.#closed) this.#socket.close();
    this.#closed = true;
  }
}

/** A message behind its length. */
export function frame(message: Uint8Array): Uint8Array {
  return Uint8Array.of(message.length >> 8, message.length & 255, ...message);
}

/** A client over TCP or TLS that says what it is told to. */
export class StreamClient implements Disposable {
  readonly #conn: Deno.Conn;
  #held = new Uint8Array();

  constructor(conn: Deno.Conn) {
    this.#conn = conn;
  }

  static async connect(
    { host, port }: { readonly host: string; readonly port: number },
  ): Promise<StreamClient> {
    const conn = await Deno.connect({ hostname: host, port });
    conn.setNoDelay(true);
    return new StreamClient(conn);
  }

  async write(octets: Uint8Array): Promise<void> {
    for (let at = 0; at < octets.length;) at += await this.#conn.write(octets.subarray(at));
  }

  async end(): Promise<void> {
    await this.#conn.closeWrite();
  }

  /** The next message; how the connection ended if it did. */
  async receive(): Promise<Uint8Array | "fin" | "rst"> {
    for (;;) {
      const length = this.#held.length < 2
        ? Infinity
        : (this.#held[0] as number) << 8 | (this.#held[1] as number);
      if (this.#held.length >= length + 2) {
        const message = this.#held.slice(2, length + 2);
        this.#held = this.#held.slice(length + 2);
        return message;
      }
      const buffer = new Uint8Array(65_537);
      let count: number | null;
      try {
        count = await withinDeadline(this.#conn.read(buffer), "the server says something");
      } catch (error) {
        if (error instanceof Deno.errors.ConnectionReset) return "rst";
        throw error;
      }
      if (count === null) return "fin";
      this.#held = concat(this.#held, buffer.subarray(0, count));
    }
  }

  async ask(octets: Uint8Array): Promise<Uint8Array> {
    await this.write(frame(octets));
    const message = await this.receive();
    assert(typeof message !== "string", message.toString());
    return message;
  }

  [Symbol.dispose](): void {
    this.#conn.close();
  }
}
