import { type IpAddress, parseIp } from "../addr/mod.ts";
import type { DnsCounters } from "./counters.ts";
import { neverAsks } from "./ports.ts";
import type { Responder, Response } from "./responder.ts";

/** A question is a name and a record of EDNS; what is longer is cut off, and so not valid. */
const RECEIVE_OCTETS = 4096;

/** What a {@link UdpServer} needs. */
export interface UdpServerOptions {
  readonly host: string;
  readonly port: number;
  readonly responder: Responder;
  readonly counters: DnsCounters;
  /** The socket is gone, for a reason of the system. */
  readonly onFailure: (error: unknown) => void;
}

/**
 * Questions in datagrams, at one address: answers come from the address that was asked. (A socket of
 * all addresses answers from the wrong one, and `node:dgram` costs several times as much.)
 */
export class UdpServer {
  readonly #options: UdpServerOptions;
  readonly #socket: Deno.DatagramConn;
  readonly #own: IpAddress | undefined;
  /** Answers for which others are being asked. */
  readonly #waiting = new Set<Promise<void>>();
  #closed = false;
  #receiving: Promise<void> = Promise.resolve();

  /**
   * Binds; nothing is received before {@link serve}.
   *
   * @throws {Deno.errors.AddrInUse} and what else the system says.
   */
  constructor(options: UdpServerOptions) {
    this.#options = options;
    const { host: hostname, port } = options;
    // Never `reuseAddress`: whoever binds second would take over without a word.
    this.#socket = Deno.listenDatagram({ transport: "udp", hostname, port });
    const own = parseIp(hostname);
    this.#own = own.ok ? own.value : undefined;
  }

  /** The port, also where any was asked for. */
  get port(): number {
    return (this.#socket.addr as Deno.NetAddr).port;
  }

  /** Answers from now on. */
  serve(): void {
    this.#receiving = this.#receive();
  }

  /** Takes no more questions, and waits for the answers that others were asked for. */
  async drain(): Promise<void> {
    this.#closed = true;
    await Promise.allSettled(this.#waiting);
    await this.close();
  }

  /** Ends at once. */
  async close(): Promise<void> {
    this.#closed = true;
    try {
      this.#socket.close();
    } catch {
      // It is closed already.
    }
    await this.#receiving;
  }

  async #receive(): Promise<void> {
    const buffer = new Uint8Array(RECEIVE_OCTETS);
    while (!this.#closed) {
      try {
        const [octets, from] = await this.#socket.receive(buffer);
        const response = this.#closed ? undefined : this.#take(octets, from as Deno.NetAddr);
        // The kernel takes it at once, and whoever floods us waits in the socket's queue meanwhile.
        if (response !== undefined) await this.#send(response, from);
      } catch (error) {
        if (this.#closed) return;
        // Of an answer before, that nobody has taken (ICMP): the socket is none the worse for it.
        if (error instanceof Deno.errors.ConnectionRefused) continue;
        this.#closed = true;
        this.#options.onFailure(error);
      }
    }
  }

  /** The answer, if it is there at once. */
  #take(octets: Uint8Array, from: Deno.NetAddr): Response {
    const { responder, counters } = this.#options;
    const ip = parseIp(from.hostname);
    if (!ip.ok || neverAsks(from.port) || this.#isOurselves(ip.value, from.port)) {
      counters.add("ignored");
      return undefined;
    }
    const response = responder.respond(octets, { ip: ip.value, transport: "udp" });
    if (!(response instanceof Promise)) return response;
    const sending = this.#sendLater(response, from).finally(() => this.#waiting.delete(sending));
    this.#waiting.add(sending);
    return undefined;
  }

  /** Whoever forges our own address would have us talk to ourselves. */
  #isOurselves(ip: IpAddress, port: number): boolean {
    const own = this.#own;
    return port === this.port && own !== undefined && own.w0 === ip.w0 && own.w1 === ip.w1 &&
      own.w2 === ip.w2 && own.w3 === ip.w3;
  }

  async #sendLater(response: Promise<Response>, to: Deno.Addr): Promise<void> {
    try {
      const answer = await response;
      if (answer !== undefined) await this.#send(answer, to);
    } catch (error) {
      if (!this.#closed) this.#options.onFailure(error);
    }
  }

  async #send(answer: Uint8Array, to: Deno.Addr): Promise<void> {
    try {
      await this.#socket.send(answer, to);
    } catch (error) {
      if (this.#closed) return;
      // No route to a forged address, a filter, too long for the network: nothing to be done for it.
      this.#options.counters.add("send_failures");
      if (error instanceof Deno.errors.BadResource) throw error;
    }
  }
}
