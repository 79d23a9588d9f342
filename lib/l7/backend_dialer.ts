import type { OutputPool } from "../h2/mod.ts";
import { describeError, type Descriptors } from "../observe/mod.ts";
import type { Turns } from "../http_io/mod.ts";
import { type Connect, connectWith, type Lookup } from "../relay/mod.ts";
import { createSockets, type TcpStream } from "../tcp/mod.ts";
import type { AttemptEvents, Dialer, HttpProtocol, Offer } from "../upstream/mod.ts";
import { type BackendAddress, connectBackend, type Dialled } from "./backend_address.ts";
import type { OnCrash } from "./guarded_sessions.ts";
import { EngineLimits } from "./http_limits.ts";
import { H1Backend } from "./h1_backend.ts";
import type { BackendConnection } from "./message.ts";
import { NodeH2Backend } from "./node_h2_backend.ts";
import { H2Backend } from "./h2_backend.ts";

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

  async #connect(address: BackendAddress, attempt: Attempt): Promise<void> {
    const { descriptors } = this.#options;
    if (!descriptors.acquire(1)) throw new Error("too many open files");
    let held = true;
    const release = () => {
      if (held) descriptors.release(1);
      held = false;
    };
    try {
      await this.#open(address, { ...attempt, events: releasing(attempt.events, release) });
    } catch (error) {
      release();
      throw error;
    }
  }

  async #open(address: BackendAddress, { offer, events, signal }: Attempt): Promise<void> {
    const { lookup, connect = connectWith(createSockets("node")) } = this.#options;
    const dialled = await connectBackend(address, {
      ...{ signal, lookup, connect },
      alpn: PROTOCOLS[offer],
    });
    const protocol = this.#agreed(dialled, offer);
    if (signal.aborted || protocol === undefined) {
      dialled.stream.close();
      throw signal.reason ?? new Error("the backend does not offer what is wanted of it");
    }
    events.onOpened(this.#connection(dialled, protocol, events));
  }

  #agreed({ secure }: Dialled, offer: Offer): HttpProtocol | undefined {
    if (secure === undefined) return offer === "auto" ? "h2" : offer;
    if (secure.alpnProtocol === "h2") return offer === "http/1.1" ? undefined : "h2";
    return offer === "h2" ? undefined : "http/1.1";
  }

  #connection(
    { stream, secure }: Dialled,
    protocol: HttpProtocol,
    events: AttemptEvents<BackendConnection>,
  ): BackendConnection {
    const { h2Transport, pool, turns, now, onCrash } = this.#options;
    const { h1Backend, h2Backend } = this.#limits;
    if (protocol === "http/1.1") {
      return new H1Backend(stream, { events, limits: h1Backend, pool, turns, now, onCrash });
    }
    if (h2Transport === "own") {
      return new H2Backend(stream, { events, limits: h2Backend, pool, turns, now, onCrash });
    }
    const maxHead = h2Backend.maxHeaderListSize;
    return new NodeH2Backend(secure ?? stream.toSocket(), { events, now, maxHead });
  }
}

/** One attempt to open a connection. */
interface Attempt {
  readonly offer: Offer;
  readonly events: AttemptEvents<BackendConnection>;
  readonly signal: AbortSignal;
}

/** Events that also tell when the link is gone. */
function releasing(
  events: AttemptEvents<BackendConnection>,
  onClosed: () => void,
): AttemptEvents<BackendConnection> {
  return {
    onOpened: (connection) => events.onOpened(connection),
    onFailed: (failure) => events.onFailed(failure),
    onGreeted: () => events.onGreeted(),
    onAvailable: () => events.onAvailable(),
    onDraining: () => events.onDraining(),
    onClosed(end) {
      onClosed();
      events.onClosed(end);
    },
  };
}
