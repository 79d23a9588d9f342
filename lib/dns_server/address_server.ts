import { Forwarder } from "../dns_forward/mod.ts";
import { createSockets, type SocketsKind } from "../tcp/mod.ts";
import { HANDSHAKE_TIMEOUT_MS, Handshakes, StreamAcceptor } from "../tls/mod.ts";
import type { Zone, ZoneTable } from "../zones/mod.ts";
import { Connections } from "./connections.ts";
import type { DnsCounters } from "./counters.ts";
import type { Ask, Told } from "./ask.ts";
import type { ServerStatus } from "./server_status.ts";
import { Responder } from "./responder.ts";
import type { Changeable, ServingSettings, TlsMaterial } from "./settings.ts";
import { StreamServer, type TlsFront } from "./stream_server.ts";
import { UdpServer } from "./udp_server.ts";
import { type ServicesSettings, ZoneServices } from "./zone_services.ts";

/** RFC 7858 §3.1 and the registry of ALPN. */
const ALPN = ["dot"];

/** One address of this machine. */
export interface ServedAddress {
  readonly host: string;
  /** Of UDP and TCP. 0: any that is free for both. */
  readonly port: number;
  /** Of DNS over TLS; absent: there is none. */
  readonly tlsPort?: number;
}

/** What an {@link AddressServer} needs. */
export interface AddressServerOptions {
  readonly address: ServedAddress;
  readonly settings: ServingSettings;
  readonly sockets: SocketsKind;
  readonly zones: ZoneTable;
  readonly counters: DnsCounters;
  /** Given with `tlsPort`. */
  readonly tls?: TlsMaterial;
  /** Asks who has the journal, and may change zones; absent: nobody. */
  readonly ask?: (what: Ask) => Promise<Told | undefined>;
  /** See `ResponderOptions.onFault`. */
  readonly onFault: (error: unknown) => void;
  /** A socket is gone, for a reason of the system. */
  readonly onFailure: (error: unknown) => void;
}

/** Ports that are tried where any will do: one that is free for UDP may be taken for TCP. */
const PORT_ATTEMPTS = 20;

/** The server of one address: UDP, TCP and TLS over the same zones. */
export class AddressServer {
  readonly #responder: Responder;
  readonly #ask: AddressServerOptions["ask"];
  #forwarder: Forwarder | undefined;
  readonly #connections: Connections;
  #services: ZoneServices | undefined;
  #udp: UdpServer | undefined;
  #streams: StreamServer[] = [];
  #acceptor: StreamAcceptor | undefined;

  private constructor(
    { settings, counters, zones, tls, onFault, ask }: AddressServerOptions,
    services: ZoneServices | undefined,
  ) {
    this.#ask = ask;
    this.#services = services;
    this.#forwarder = settings.forward && new Forwarder(settings.forward);
    this.#responder = new Responder({
      ...{ settings, counters, onFault },
      ...this.#forwarder && { forwarder: this.#forwarder },
      ...services && { services },
    });
    this.#responder.zones = zones;
    this.#connections = new Connections(settings.limits, { counters });
    if (tls !== undefined) this.setTls(tls);
  }

  /**
   * Binds all sockets, then answers.
   *
   * @throws {Error} if one cannot be bound; then none is.
   */
  static async open(options: AddressServerOptions): Promise<AddressServer> {
    const { settings } = options;
    const services = await createServices(settings.services, options.ask);
    const server = new AddressServer(options, services);
    try {
      for (let attempt = 1;; attempt++) {
        try {
          await server.#bind(options);
          break;
        } catch (error) {
          if (options.address.port !== 0 || attempt >= PORT_ATTEMPTS) throw error;
          await server.#unbind();
        }
      }
    } catch (error) {
      await server.close();
      throw error;
    }
    server.#udp?.serve();
    return server;
  }

  /** The port of UDP and TCP. */
  get port(): number {
    return this.#udp?.port ?? 0;
  }

  /** The port of DNS over TLS; 0: there is none. */
  get tlsPort(): number {
    return this.#streams[1]?.port ?? 0;
  }

  /**
   * Takes other upstreams, and other services of zones, between two questions; those under way are
   * answered as they began.
   *
   * @throws {TypeError} for a key that is none; nothing has changed then.
   */
  async reconfigure({ forward, services: wanted }: Changeable): Promise<void> {
    const services = await createServices(wanted, this.#ask);
    if (this.#forwarder !== undefined) this.#forwarder.update(forward ?? NOBODY);
    else if (forward !== undefined) this.#forwarder = new Forwarder(forward);
    this.#services = services;
    this.#responder.reconfigure({
      ...this.#forwarder && { forwarder: this.#forwarder },
      ...services && { services },
    });
  }

  /** What it keeps beside its counters. */
  get status(): ServerStatus {
    const forward = this.#forwarder?.status;
    const signer = this.#services?.signer.status;
    return { ...forward && { forward }, ...signer && { signer } };
  }

  /** The zones that are served; another set takes their place between two questions. */
  get zones(): ZoneTable {
    return this.#responder.zones;
  }

  set zones(zones: ZoneTable) {
    this.#responder.zones = zones;
  }

  /** The certificate for handshakes from now on. */
  setTls({ certPem, keyPem }: TlsMaterial): void {
    this.#acceptor = new StreamAcceptor({ certPem, keyPem, alpn: ALPN });
  }

  /** Takes no more questions; resolves when those are answered that came, or after `timeoutMs`. */
  async drain(timeoutMs: number): Promise<void> {
    for (const streams of this.#streams) streams.drain();
    const timer = setTimeout(() => this.#connections.cutAll(), timeoutMs);
    const late = Promise.withResolvers<void>();
    const lateTimer = setTimeout(late.resolve, timeoutMs);
    await Promise.race([this.#udp?.drain(), late.promise]);
    await this.#connections.empty();
    clearTimeout(timer);
    clearTimeout(lateTimer);
    await this.close();
  }

  /** Ends everything at once. */
  async close(): Promise<void> {
    this.#connections.cutAll();
    this.#connections.close();
    await this.#unbind();
    this.#forwarder?.[Symbol.dispose]();
  }

  async #bind(
    { address, settings, sockets: kind, counters, onFailure }: AddressServerOptions,
  ): Promise<void> {
    const { host, port, tlsPort } = address;
    const responder = this.#responder;
    this.#udp = new UdpServer({ host, port, responder, counters, onFailure });
    const common = {
      ...{ host, responder, connections: this.#connections },
      sockets: createSockets(kind),
      pipeline: settings.limits.tcpPipeline,
    };
    this.#streams.push(await StreamServer.open({ ...common, port: this.#udp.port }));
    if (tlsPort === undefined) return;
    const tls: TlsFront = {
      acceptor: () => this.#acceptor as StreamAcceptor,
      // Who was cut is forgotten no later than who is silent.
      handshakes: new Handshakes({
        timeoutMs: Math.min(HANDSHAKE_TIMEOUT_MS, settings.limits.tcpIdleMs),
      }),
    };
    this.#streams.push(await StreamServer.open({ ...common, port: tlsPort, tls }));
  }

  async #unbind(): Promise<void> {
    for (const streams of this.#streams.splice(0)) streams.close();
    await this.#udp?.close();
    this.#udp = undefined;
  }
}

/** Whoever may ask is refused, as nobody is asked. */
const NOBODY = { allowRecursion: [], upstreams: [] };

function createServices(
  settings: ServicesSettings | undefined,
  ask: AddressServerOptions["ask"],
): Promise<ZoneServices | undefined> {
  if (settings === undefined) return Promise.resolve(undefined);
  return ZoneServices.create(settings, {
    now: () => Math.floor(Date.now() / 1000),
    ...ask && {
      journal: async ({ apexKey: origin }: Zone, serial: number) =>
        (await ask({ kind: "journal", origin, serial }))?.steps,
      relay: async (octets: Uint8Array, host: string) =>
        (await ask({ kind: "message", octets, host }))?.octets,
    },
  });
}
