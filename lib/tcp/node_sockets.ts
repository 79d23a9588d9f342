import net from "node:net";
import { loadBinding, type TcpBinding } from "./_binding.ts";
import { acceptProblem } from "./_accept_problem.ts";
import { bind } from "./_listen.ts";
import { Primer } from "./_primer.ts";
import { NodeStream } from "./node_stream.ts";
import {
  BACKLOG,
  type DialHandler,
  type Dialling,
  type ListenOptions,
  type ListenTarget,
  type Sockets,
  type TcpListener,
} from "./sockets.ts";
import type { TcpStream } from "./stream.ts";

/** {@link Sockets} on `node:net`: for a runtime whose handles are not what they were. */
export class NodeSockets implements Sockets {
  readonly kind = "node";
  readonly #binding = bindingIfKnown();
  readonly #primer = this.#binding && new Primer(this.#binding);

  async listen(
    target: ListenTarget,
    onStream: (stream: TcpStream) => void,
    { onAcceptFailure = () => {} }: ListenOptions = {},
  ): Promise<TcpListener> {
    await this.#primer?.ready();
    const options = { allowHalfOpen: true, pauseOnConnect: true };
    const server = net.createServer(
      options,
      (socket) => onStream(new NodeStream(socket, { primer: this.#primer })),
    );
    await bind(server, target);
    const { port } = server.address() as net.AddressInfo;
    // Of a connection that could not be accepted; rearm() mends it.
    server.on("error", ({ code = "" }: NodeJS.ErrnoException) => onAcceptFailure(code));
    const rearm = () => {
      const problem = this.#binding && acceptProblem(this.#binding);
      if (problem !== undefined) onAcceptFailure(problem);
      rearmAccept(server);
    };
    return { port, rearm, close: () => void server.close() };
  }

  connect(address: string, port: number, handler: DialHandler): Dialling {
    const socket = net.connect({ host: address, port, allowHalfOpen: true });
    const primer = this.#primer;
    let over = false;
    const settle = () => {
      over = true;
      socket.off("connect", onConnect).off("error", onError);
    };
    const onConnect = () => {
      // At once: it keeps the socket from reading, and so from an end that nobody hears of.
      const stream = new NodeStream(socket, { primer });
      const tell = () => {
        if (over) return;
        settle();
        handler.onConnect(stream);
      };
      // A thread that listens has waited for it before; one that only connects has not.
      if (primer === undefined || primer.settled) tell();
      else primer.ready().then(tell).catch(onError);
    };
    const onError = (error: Error) => {
      if (over) return;
      settle();
      handler.onFailure(error);
    };
    socket.on("error", () => {}); // Stays: an error event without a listener ends the process.
    socket.on("connect", onConnect).on("error", onError);
    const cancel = () => {
      if (over) return;
      settle();
      socket.destroy();
    };
    return { cancel };
  }
}

/** Nothing where the handles below `node:net` are not what they were. */
function bindingIfKnown(): TcpBinding | undefined {
  try {
    return loadBinding();
  } catch {
    return undefined;
  }
}

/** Uses the handle behind the server: `listen()` on the server itself refuses a second call. */
function rearmAccept(server: net.Server): void {
  (server as unknown as { _handle?: { listen?(backlog: number): number } })._handle
    ?.listen?.(BACKLOG);
}
