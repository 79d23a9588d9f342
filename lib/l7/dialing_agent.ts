import http from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";

/** Connections to one backend of one worker; the request after that is answered 503. */
export const MAX_SOCKETS = 512;
/** Connections kept open without a request. */
const MAX_FREE_SOCKETS = 64;
/**
 * How long such a connection is kept. Below the 5 s of Node's servers and of others: a request must
 * not meet a connection that the backend is just closing.
 */
const FREE_SOCKET_MS = 4000;

/** Opens a connection for the agent. */
export type OpenSocket = () => Promise<Socket>;

/** An agent whose connections are opened by us: with our deadline, PROXY header and TLS. */
export class DialingAgent extends http.Agent {
  readonly #open: OpenSocket;
  #adopted: Socket | undefined;

  constructor(open: OpenSocket) {
    super({
      keepAlive: true,
      maxSockets: MAX_SOCKETS,
      maxFreeSockets: MAX_FREE_SOCKETS,
      timeout: FREE_SOCKET_MS,
      scheduling: "lifo",
    });
    this.#open = open;
  }

  /** Connections with a request on them. */
  get busyCount(): number {
    return Object.values(this.sockets).reduce((sum, sockets) => sum + (sockets?.length ?? 0), 0);
  }

  adopt(socket: Socket): void {
    this.#adopted?.destroy();
    this.#adopted = socket;
    socket.once("close", () => this.#adopted === socket && (this.#adopted = undefined));
  }

  retire(): void {
    (this as { keepAlive?: boolean }).keepAlive = false;
    this.#adopted?.destroy();
    for (const sockets of Object.values(this.freeSockets)) {
      for (const socket of sockets ?? []) socket.destroy();
    }
  }

  override destroy(): void {
    this.#adopted?.destroy();
    super.destroy();
  }

  override getName(): string {
    return "backend";
  }

  override createConnection(
    _options: http.ClientRequestArgs,
    callback?: (error: Error | null, socket: Duplex) => void,
  ): Duplex {
    const adopted = this.#adopted;
    this.#adopted = undefined;
    const opened = adopted === undefined ? this.#open() : Promise.resolve(adopted);
    opened.then(
      (socket) => callback?.(null, socket),
      (error) => callback?.(error, undefined as unknown as Duplex),
    );
    // Node's documentation: return the socket, or pass it to the callback; the types know the former.
    return undefined as unknown as Duplex;
  }
}
