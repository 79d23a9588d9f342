import type { Socket } from "node:net";
import type { OutputPool } from "../h2/mod.ts";
import { describeError, type Descriptors } from "../observe/mod.ts";
import type { Connect, Lookup } from "../relay/mod.ts";
import type { TcpStream } from "../tcp/mod.ts";
import type { AttemptEvents, Dialer, HttpProtocol, LinkEvents, Offer } from "../upstream/mod.ts";
import { type BackendAddress, connectBackend, connectPlain } from "./backend_address.ts";
import type { OnCrash } from "./guarded_sessions.ts";
import { EngineLimits } from "./http_limits.ts";
import { H1Backend } from "./h1_backend.ts";
import type { BackendConnection } from "./message.ts";
import { NodeH2Backend } from "./node_h2_backend.ts";
import { H2Backend } from "./h2_backend.ts";
import type { Turns } from "./turns.ts";

/** Who frames HTTP/2 towards backends. */
export type H2TransportName = "own" | "node";

/** Everything about the connections to one backend. */
export interface BackendDialerOptions {
  readonly address: Omit<BackendAddress, "proxyHeader">;
  /** The PROXY header of connections for one client: `affinity` is what its requests came with. */
  readonly proxyHeaderOf?: (affinity: object) => Uint8Array;
  /** Opens plain TCP connections; absent: sockets of `node:net`. */
  readonly connect?: Connect<TcpStream> | undefined;
  readonly h2Transport: H2TransportName;
  /** Default: those of {@link DEFAULT_HTTP_LIMITS}. */
  readonly limits?: EngineLimits;
  readonly pool: OutputPool;
  /** Shared by all connections of the thread. */
  readonly turns: Turns;
  readonly lookup: Lookup;
  /** One is taken for each connection. */
  readonly descriptors: Descriptors;
  readonly now: () => number;
  /** A connection ended because something was thrown that must not be. */
  readonly onCrash: OnCrash;
}

/** What is offered in TLS (ALPN), in order of preference. */
const PROTOCOLS: Readonly<Record<Offer, readonly HttpProtocol[]>> = {
  tcp: [],
  auto: ["h2", "http/1.1"],
  h2: ["h2"],
  "http/1.1": ["http/1.1"],
};

/** Opens connections to one backend, and puts whoever frames them on top. */
export class BackendDialer implements Dialer<BackendConnection> {
  readonly #options: BackendDialerOptions;
  readonly #limits: EngineLimits;

  constructor(options: BackendDialerOptions) {
    this.#options = options;
    this.#limits = options.limits ?? new EngineLimits();
  }

  open(
    { offer, affinity }: { readonly offer: Offer; readonly affinity: object | undefined },
    events: AttemptEvents<BackendConnection>,
  ): (reason: string) => void {
    const { address, proxyHeaderOf } = this.#options;
    const proxyHeader = affinity && proxyHeaderOf?.(affinity);
    const controller = new AbortController();
    const { signal } = controller;
    this.#connect({ ...address, proxyHeader }, { offer, events, signal })
      .catch((error) => {
        if (signal.aborted) return;
        events.onFailed({ kind: "unreachable", reason: describeError(error) });
      });
    return (reason) => controller.abort(new Error(reason));
  }

  async #connect(address: BackendAddress, attempt: {
    readonly offer: Offer;
    readonly events: AttemptEvents<BackendConnection>;
    readonly signal: AbortSignal;
  }): Promise<void> {
    const { offer, events, signal } = attempt;
    const { connect, lookup, descriptors, pool, now, onCrash } = this.#options;
    if (connect === undefined || address.tls !== undefined || offer !== "http/1.1") {
      const alpn = PROTOCOLS[offer];
      const socket = await connectBackend(address, { signal, lookup, descriptors, alpn });
      return this.#open(socket, attempt);
    }
    if (!descriptors.acquire(1)) throw new Error("too many open files");
    let stream: TcpStream | undefined;
    try {
      stream = await connectPlain(address, { signal, lookup, connect });
    } finally {
      if (stream === undefined || signal.aborted) descriptors.release(1);
    }
    if (signal.aborted) return stream.close();
    const limits = this.#limits.h1Backend;
    const counted = releasing(events, () => descriptors.release(1));
    events.onOpened(new H1Backend(stream, { events: counted, limits, pool, now, onCrash }));
  }

  #open(socket: Socket, { offer, events, signal }: {
    readonly offer: Offer;
    readonly events: AttemptEvents<BackendConnection>;
    readonly signal: AbortSignal;
  }): void {
    if (signal.aborted) return void socket.destroy();
    const protocol = this.#agreed(socket, offer);
    if (protocol === undefined) {
      socket.destroy();
      throw new Error("the backend does not offer what is wanted of it");
    }
    events.onOpened(this.#link(socket, protocol, events));
  }

  #agreed(socket: Socket, offer: Offer): HttpProtocol | undefined {
    if (offer === "tcp") return undefined;
    if (this.#options.address.tls === undefined) return offer === "auto" ? "h2" : offer;
    const { alpnProtocol } = socket as { alpnProtocol?: string | false };
    if (alpnProtocol === "h2") return offer === "http/1.1" ? undefined : "h2";
    return offer === "h2" ? undefined : "http/1.1";
  }

  #link(
    socket: Socket,
    protocol: HttpProtocol,
    events: AttemptEvents<BackendConnection>,
  ): BackendConnection {
    const { h2Transport, pool, turns, now, onCrash } = this.#options;
    const { h1Backend, h2Backend } = this.#limits;
    if (protocol === "http/1.1") {
      return new H1Backend(socket, { events, limits: h1Backend, pool, now, onCrash });
    }
    return h2Transport === "own"
      ? new H2Backend(socket, { events, limits: h2Backend, pool, turns, now, onCrash })
      : new NodeH2Backend(socket, { events, now });
  }
}

/** Events that also tell when the link is gone. */
function releasing(events: LinkEvents, onClosed: () => void): LinkEvents {
  return {
    onGreeted: () => events.onGreeted(),
    onAvailable: () => events.onAvailable(),
    onDraining: () => events.onDraining(),
    onClosed(end) {
      onClosed();
      events.onClosed(end);
    },
  };
}
